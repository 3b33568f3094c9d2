#!/usr/bin/env bash
# Makes the Debian package of a binary that `make build` built: deb.sh BINARY VERSION FOLDER.
# Prints the package's path. Needs dpkg-deb, git and gzip.
set -eu -o pipefail
binary=$1 version=$2 into=$3
here=$(cd "$(dirname "$0")" && pwd)
repo=$(dirname "$here")

arch=$(dpkg --print-architecture)
# The same commit gives the same package.
SOURCE_DATE_EPOCH=$(git -C "$repo" log -1 --format=%ct)
export SOURCE_DATE_EPOCH

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
chmod 0755 "$root"
doc=$root/usr/share/doc/smsbridge
install -D -m 0755 "$binary" "$root/usr/bin/smsbridge"
install -D -m 0644 "$repo/configs/smsbridge.service" "$root/lib/systemd/system/smsbridge.service"
install -D -m 0640 "$repo/configs/smsbridge.example.yaml" "$root/etc/smsbridge/smsbridge.yaml"
install -D -m 0644 "$here/debian/copyright" "$doc/copyright"
install -m 0644 "$here/debian/README.Debian" "$repo"/docs/*.md "$repo"/docs/*.png "$repo/docs/openapi.yaml" "$repo"/configs/{prometheus-alerts.yaml,grafana-dashboard.json} "$doc/"
gzip -9n <"$repo/CHANGELOG.md" >"$doc/changelog.gz"
chmod 0644 "$doc/changelog.gz"

mkdir "$root/DEBIAN"
sed "s/@VERSION@/$version/; s/@ARCH@/$arch/; s/@SIZE@/$(du -sk --apparent-size "$root" | cut -f1)/" \
	"$here/debian/control.in" >"$root/DEBIAN/control"
install -m 0644 "$here/debian/conffiles" "$root/DEBIAN/conffiles"
install -m 0755 "$here/debian/postinst" "$here/debian/prerm" "$here/debian/postrm" "$root/DEBIAN/"
(cd "$root" && find usr lib -type f -print0 | sort -z | xargs -0 md5sum >DEBIAN/md5sums)

mkdir -p "$into"
package=$into/smsbridge_${version}_$arch.deb
dpkg-deb --root-owner-group --build "$root" "$package" >/dev/null
echo "$package"
