#!/usr/bin/env bash
# A minimal Debian 12, made once: docker/base.sh FOLDER. Wants root. MIRROR: where packages come from, if not
# from where debootstrap takes them.
set -euo pipefail
root=$1
if [ -f "$root/.complete" ]; then
    exit 0
fi
rm -rf "$root"
mkdir -p "$root"
debootstrap --variant=minbase bookworm "$root" ${MIRROR:+"$MIRROR"} >"$root.log" 2>&1 ||
    { tail -5 "$root.log"; exit 1; }
touch "$root/.complete"
