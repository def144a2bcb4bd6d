#!/usr/bin/env bash
# Installs the package in a Debian of its own, runs it as its user, takes it away again:
# docker/package/test.sh PACKAGE DEBIAN, a root made by debootstrap, which is copied. Wants root.
set -euo pipefail
package=$(realpath "$1") debian=$(realpath "$2")

work=$(mktemp -d)
root=$work/root
server=
clean_up() {
    if [ -n "$server" ]; then
        kill -KILL "$server" 2>/dev/null || true
    fi
    rm -rf "$work"
}
trap clean_up EXIT

say() { echo "package: $*"; }
fail() {
    say "FAIL: $*"
    cat "$work/log" 2>/dev/null || true
    exit 1
}
inside() { chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LC_ALL=C "$@"; }

cp -a "$debian" "$root"
cp "$package" "$root/tensorkeep.deb"
cp -L /etc/resolv.conf "$root/etc/resolv.conf"
rm -rf "$root/etc/apt"
cp -a /etc/apt "$root/etc/apt"
mkdir -p "$root/usr/share/keyrings"
cp -a /usr/share/keyrings/. "$root/usr/share/keyrings/"
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod 755 "$root/usr/sbin/policy-rc.d"

inside apt-get update >"$work/log" 2>&1 || true # a list that is not for Debian may fail
inside apt-get install -y --no-install-recommends /tensorkeep.deb >>"$work/log" 2>&1 || fail "cannot install"
say "installed: $(inside dpkg-query -W -f '${Package} ${Version}' tensorkeep)"

inside getent passwd tensorkeep >/dev/null || fail "there is no user tensorkeep"
[ "$(inside stat -c '%a %U %G' /var/lib/tensorkeep)" = "700 tensorkeep tensorkeep" ] || fail "the data folder is not its user's alone"
[ -L "$root/etc/systemd/system/multi-user.target.wants/tensorkeep.service" ] || fail "the unit is not enabled"
[ -s "$root/usr/share/man/man1/tensorkeep.1.gz" ] || fail "there is no manual"

start() {
    chroot --userspec=tensorkeep:tensorkeep "$root" /usr/bin/env -i TENSORKEEP_FORCE_FILE_SYSTEM="${TENSORKEEP_FORCE_FILE_SYSTEM:-0}" \
        /usr/bin/tensorkeep --config /etc/tensorkeep.conf --port 0 "$@" >"$work/out" 2>"$work/log" &
    server=$!
    for _ in $(seq 200); do
        url=$(sed -n 's/^listening on //p' "$work/out")
        [ -z "$url" ] || return 0
        sleep 0.05
    done
    fail "it does not start"
}
stop() {
    kill -TERM "$server"
    wait "$server" || fail "it ends with status $?"
    server=
}

start
curl -sSf -X PUT "$url/v1/models/m" -H 'Content-Type: application/json' -d '{}' >/dev/null
curl -sSf -X PUT "$url/v1/models/m/variables/w" -H 'Content-Type: application/json' \
    -d '{"dtype":"float32","shape":[3],"data":[1,2,3]}' >/dev/null || fail "it takes no variable"
[ "$(ps -o user= -p "$server" | tr -d ' ')" != root ] || fail "it runs as root"
before=$(curl -sSf "$url/v1/models/m/variables/w:value")
stop
start
[ "$(curl -sSf "$url/v1/models/m/variables/w:value")" = "$before" ] || fail "the variable is another after a restart"
stop

# What root does beside it leaves files that its user can open.
inside tensorkeep backup /tensorkeep.backup --config /etc/tensorkeep.conf >>"$work/log" 2>&1 || fail "root cannot back up"
inside tensorkeep compact --config /etc/tensorkeep.conf >>"$work/log" 2>&1 || fail "root cannot compact"
start
stop
find "$root/var/lib/tensorkeep" -mindepth 1 -delete
inside tensorkeep restore-backup /tensorkeep.backup --config /etc/tensorkeep.conf >>"$work/log" 2>&1 || fail "root cannot restore"
rm "$root/tensorkeep.backup"
inside install -o tensorkeep -g tensorkeep -m 600 /dev/null /etc/tensorkeep.tokens
token=$(inside tensorkeep token boss --scopes admin --tokens /etc/tensorkeep.tokens) || fail "root cannot add a token"
start --tokens /etc/tensorkeep.tokens
[ "$(curl -sSf "$url/v1/models/m/variables/w:value" -H "Authorization: Bearer $token")" = "$before" ] ||
    fail "the variable is another after root restored a backup"
stop
rm "$root/etc/tensorkeep.tokens"
say "runs, stops, and has what it was given"

inside apt-get remove -y tensorkeep >>"$work/log" 2>&1 || fail "cannot remove"
[ -f "$root/etc/tensorkeep.conf" ] || fail "removing took the settings"
inside dpkg --purge tensorkeep >>"$work/log" 2>&1 || fail "cannot purge"
[ ! -e "$root/etc/tensorkeep.conf" ] || fail "purging left the settings"
[ -f "$root/var/lib/tensorkeep/meta.mdb" ] || fail "purging took the data"
rm -r "$root/var/lib/tensorkeep"
inside apt-get install -y --no-install-recommends /tensorkeep.deb >>"$work/log" 2>&1 || fail "cannot install again"
inside dpkg --purge tensorkeep >>"$work/log" 2>&1 || fail "cannot purge"
[ ! -e "$root/var/lib/tensorkeep" ] || fail "purging left an empty data folder"
! inside getent passwd tensorkeep >/dev/null || fail "purging left the user"
left=$(find "$root" -xdev -name '*tensorkeep*' -not -path "$root/tensorkeep.deb" -not -path "$root/var/cache/*" | head -3)
[ -z "$left" ] || fail "purging left $left"
say "removed and purged; ok"
