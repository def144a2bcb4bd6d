#!/usr/bin/env bash
# Builds the image without a container engine, runs what is in it as its user, and tells its size:
# docker/test.sh FOLDER, in which everything it makes is kept for the next time. Wants root, buildah and
# debootstrap.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$1
mkdir -p "$folder"
folder=$(realpath "$folder")

say() { echo "image: $*"; }
fail() {
    say "FAIL: $*"
    tail -20 "$folder/log" 2>/dev/null || true
    exit 1
}
# Layers over one another where the kernel can, else copies of copies.
driver=overlay
b() { buildah --root "$folder/storage-$driver" --runroot "$folder/run-$driver" --storage-driver "$driver" "$@"; }

container='' server='' data='' volume='' stopped_ms=0
clean_up() {
    if [ -n "$server" ]; then
        kill -KILL "$server" 2>/dev/null || true
    fi
    if [ -n "$volume" ]; then
        umount "$volume" || true
    fi
    if [ -n "$container" ]; then
        b rm "$container" >/dev/null || true
    fi
    rm -rf "$data"
}
trap clean_up EXIT

# --- build: the base is a Debian of our own, as no registry is asked --------------------------------

if ! container=$(b from scratch 2>/dev/null) || ! b mount "$container" >/dev/null 2>&1; then
    driver=vfs
else
    b rm "$container" >/dev/null
fi
container=''
bash docker/base.sh "$folder/debian" || fail "no base"
if ! b inspect --type image localhost/debian-base >/dev/null 2>&1; then
    container=$(b from scratch)
    tar -C "$folder/debian" -cf "$folder/base.tar" .
    b add "$container" "$folder/base.tar" / >/dev/null
    rm "$folder/base.tar"
    b commit "$container" localhost/debian-base >/dev/null 2>&1
    b rm "$container" >/dev/null
    container=''
fi
b build --isolation chroot --format docker --layers --build-arg BASE=localhost/debian-base -f docker/Dockerfile \
    -t localhost/tensorkeep . >"$folder/log" 2>&1 || fail "the image does not build"
rm -f "$folder/tensorkeep.tar"
b push -q localhost/tensorkeep "oci-archive:$folder/tensorkeep.tar" >>"$folder/log" 2>&1 || fail "cannot write the image"
bytes=$(stat -c %s "$folder/tensorkeep.tar")
say "$((bytes / 1000000)) MB compressed"
[ "$bytes" -lt 60000000 ] || fail "it is larger than 60 MB"

# --- run: as the image says, in a chroot -------------------------------------------------------------

container=$(b from localhost/tensorkeep)
root=$(b mount "$container")
b inspect "$container" | /usr/bin/python3 docker/image_facts.py >"$folder/facts" || fail "the image is not as it should be"
mapfile -t environment <"$folder/facts"

data=$(mktemp -d)
mkdir "$data/volume"
chown 7840:7840 "$data" "$data/volume"
mount --bind "$data/volume" "$root/var/lib/tensorkeep" || fail "cannot mount a volume"
volume=$root/var/lib/tensorkeep
in_image() {
    exec chroot --userspec=7840:7840 "$root" /usr/bin/tensorkeep "$@"
}
start() {
    (
        export "${environment[@]}" TENSORKEEP_INSECURE=true TENSORKEEP_PORT=0
        in_image >"$data/out" 2>"$folder/log"
    ) &
    server=$!
    for _ in $(seq 600); do
        port=$(sed -n 's/^listening on .*://p' "$data/out")
        [ -z "$port" ] || return 0
        sleep 0.05
    done
    fail "it does not start"
}
stop() {
    local begun=$(date +%s%3N)
    kill -TERM "$server"
    wait "$server" || fail "it ends with status $?"
    server=
    stopped_ms=$(($(date +%s%3N) - begun))
    [ "$stopped_ms" -lt 5000 ] || fail "it takes $stopped_ms ms to stop"
}
healthy() { (export "${environment[@]}" TENSORKEEP_PORT="$port"; in_image health >/dev/null 2>&1); }

(export "${environment[@]}"; in_image) >"$folder/log" 2>&1 && fail "it serves everybody without being told to"
start
healthy || fail "it is not healthy"
url=http://127.0.0.1:$port/v1/models/m
curl -sSf -X PUT "$url" -H 'Content-Type: application/json' -d '{}' >/dev/null
curl -sSf -X POST "$url/variables" -H 'Content-Type: application/json' -d '{"name":"n","dtype":"int64","shape":[]}' >/dev/null
curl -sSf -X POST "$url/variables/n:assign" -H 'Content-Type: application/json' -d '{"value":0}' >/dev/null

# Counted up to the moment it stops: what was acknowledged is there afterwards.
count_up() {
    local n=0
    while curl -sf -X POST "$url/variables/n:assign_add" -H 'Content-Type: application/json' -d '{"value":1}' >/dev/null 2>&1; do
        n=$((n + 1))
        echo "$n" >"$data/acknowledged"
    done
}
count_up &
counter=$!
sleep 1
stop
wait "$counter"
acknowledged=$(cat "$data/acknowledged")
healthy && fail "a stopped server is healthy"
start
url=http://127.0.0.1:$port/v1/models/m
found=$(curl -sSf "$url/variables/n:value" | sed 's/.*"data":\[*\([0-9]*\).*/\1/')
[ "$found" -ge "$acknowledged" ] && [ "$found" -le $((acknowledged + 1)) ] ||
    fail "$acknowledged writes were acknowledged, $found are there"
stop
say "starts, is healthy, stops in $stopped_ms ms; $acknowledged writes acknowledged, $found there; ok"
