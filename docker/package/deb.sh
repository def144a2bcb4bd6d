#!/usr/bin/env bash
# A Debian package of a built program: docker/package/deb.sh PROGRAM FOLDER. Prints the path of what it made.
set -euo pipefail
program=$(realpath "$1") out=$(realpath "$2")
here=$(dirname "$(realpath "$0")")

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
version=$("$program" --version | cut -d' ' -f2)
arch=$(dpkg --print-architecture)

install -D -m 755 "$program" "$root/usr/bin/tensorkeep"
strip --strip-unneeded "$root/usr/bin/tensorkeep"
install -D -m 644 "$here/tensorkeep.conf" "$root/etc/tensorkeep.conf"
install -D -m 644 "$here/tensorkeep.service" "$root/lib/systemd/system/tensorkeep.service"
install -d -m 755 "$root/usr/share/man/man1" "$root/usr/share/doc/tensorkeep" "$root/DEBIAN"
bash "$here/manual.sh" "$program" | gzip -9n >"$root/usr/share/man/man1/tensorkeep.1.gz"
for document in README openapi/README docker/README; do
    install -d -m 755 "$root/usr/share/doc/tensorkeep/$(dirname "$document")"
    gzip -9n <"$here/../../$document.md" >"$root/usr/share/doc/tensorkeep/$document.md.gz"
done
cp "$here/copyright" "$root/usr/share/doc/tensorkeep/copyright"
find "$root/usr/share/man" "$root/usr/share/doc" -type f -exec chmod 644 {} +

# The libraries it is linked with, as packages.
mkdir "$work/debian"
printf 'Source: tensorkeep\n\nPackage: tensorkeep\nArchitecture: any\n' >"$work/debian/control"
depends=$(cd "$work" && dpkg-shlibdeps -O -e"$root/usr/bin/tensorkeep" 2>"$work/said" | sed -n 's/^shlibs:Depends=//p') || true
if [ -z "$depends" ]; then
    echo "dpkg-shlibdeps (Debian: dpkg-dev) does not say which packages the program needs" >&2
    cat "$work/said" >&2
    exit 1
fi

cat >"$root/DEBIAN/control" <<CONTROL
Package: tensorkeep
Version: $version
Architecture: $arch
Maintainer: The Tensorkeep maintainers <maintainers@localhost>
Installed-Size: $(du -sk --exclude=DEBIAN "$root" | cut -f1)
Depends: $depends, passwd, init-system-helpers
Section: database
Priority: optional
Description: model state behind plain HTTP
 Keeps TensorFlow's variables, optimizers and checkpoints behind plain HTTP:
 created, initialized, updated, saved and restored by requests, each of which
 is one durable commit.
CONTROL
echo /etc/tensorkeep.conf >"$root/DEBIAN/conffiles"
for script in postinst prerm postrm; do
    install -m 755 "$here/$script" "$root/DEBIAN/$script"
done
(cd "$root" && find . -type f -not -path './DEBIAN/*' -printf '%P\0' | sort -z | xargs -0 md5sum) >"$root/DEBIAN/md5sums"
chmod 644 "$root/DEBIAN/control" "$root/DEBIAN/conffiles" "$root/DEBIAN/md5sums"

package=$out/tensorkeep_${version}_$arch.deb
dpkg-deb --root-owner-group -Zxz --build "$root" "$package" >/dev/null
echo "$package"
