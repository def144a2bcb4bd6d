#!/usr/bin/env bash
# The files of the image: a program, the libraries it is linked with, a user: docker/rootfs.sh PROGRAM FOLDER
set -euo pipefail
program=$1 root=$2

install -D -m 755 "$program" "$root/usr/bin/tensorkeep"
strip --strip-unneeded "$root/usr/bin/tensorkeep"

# Each library under the name it is asked for by, and the loader.
ldd "$program" | grep -oE '/[^ ]+' | while read -r library; do
    install -D -m 755 "$(readlink -f "$library")" "$root$library"
done

install -d "$root/etc"
echo 'tensorkeep:x:7840:7840::/var/lib/tensorkeep:/nonexistent' >"$root/etc/passwd"
echo 'tensorkeep:x:7840:' >"$root/etc/group"
install -d -m 700 -o 7840 -g 7840 "$root/var/lib/tensorkeep"

# The program of this folder runs with what is in it.
chroot "$root" /usr/bin/tensorkeep --version
