#!/usr/bin/env bash
# Holds a package to what it promises: check.sh PACKAGE. It is unpacked, not installed; as root,
# where overlay file systems can be mounted, it is also installed, removed and purged in a copy
# of this system that is thrown away.
set -eu -o pipefail
package=$(realpath "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
	echo "packaging: $*" >&2
	exit 1
}

dpkg-deb -R "$package" "$work/root"
cd "$work/root"
for file in usr/bin/smsbridge lib/systemd/system/smsbridge.service etc/smsbridge/smsbridge.yaml \
	usr/share/doc/smsbridge/{copyright,README.Debian,changelog.gz,operations.md,security.md,configuration.md}; do
	[ -s "$file" ] || fail "$file is missing"
done
[ "$(cat DEBIAN/conffiles)" = /etc/smsbridge/smsbridge.yaml ] || fail 'the configuration is no conffile'
md5sum --quiet -c DEBIAN/md5sums || fail 'the sums are wrong'
for script in postinst prerm postrm; do sh -n "DEBIAN/$script" || fail "$script"; done
! ldd usr/bin/smsbridge >/dev/null 2>&1 || fail 'the binary is not static'
usr/bin/smsbridge version | grep -q '^smsbridge [0-9]' || fail 'the binary does not run, or knows no version'
usr/bin/smsbridge check --config etc/smsbridge/smsbridge.yaml >/dev/null || fail 'the conffile is refused'
program=$(sed -nE 's/^ExecStart=([^ ]+).*/\1/p' lib/systemd/system/smsbridge.service)
[ -x ".$program" ] || fail "the unit starts $program, which is not in the package"
grep -q 'config /etc/smsbridge/smsbridge.yaml' lib/systemd/system/smsbridge.service || fail 'the unit reads another configuration'
if command -v lintian >/dev/null; then
	lintian --fail-on error "$package" || fail 'lintian'
fi
echo "packaging: $(basename "$package") has what it must have"

mkdir "$work/disk" "$work/all"
if [ "$(id -u)" != 0 ] || ! unshare -m sh -c "mount -t tmpfs none $work/disk" 2>/dev/null; then
	echo 'packaging: not installed, since that needs root and mounts'
	exit 0
fi
cat >"$work/life.sh" <<'LIFE'
set -eu
work=$1 package=$2
mount -t tmpfs none "$work/disk"
mkdir "$work/disk/upper" "$work/disk/work"
mount -t overlay -o "lowerdir=/,upperdir=$work/disk/upper,workdir=$work/disk/work" overlay "$work/all" || { echo 'packaging: not installed: no overlay file system'; exit 0; }
cp "$package" "$work/all/smsbridge.deb"
inside() { chroot "$work/all" "$@"; }
there() { for path; do inside test -e "$path" || { echo "packaging: $path is gone" >&2; exit 1; }; done; }
gone() { for path; do if inside test -e "$path"; then echo "packaging: $path is left" >&2; exit 1; fi; done; }
mount -t proc none "$work/all/proc"
mount --bind /dev "$work/all/dev"
inside dpkg --force-depends -i /smsbridge.deb >/dev/null
[ "$(inside stat -c '%U %a' /var/lib/smsbridge)" = 'smsbridge 700' ]
[ "$(inside stat -c '%U %G %a' /etc/smsbridge/smsbridge.yaml)" = 'root smsbridge 640' ]
inside setpriv --reuid smsbridge --regid smsbridge --init-groups smsbridge check --config /etc/smsbridge/smsbridge.yaml >/dev/null
inside touch /var/lib/smsbridge/message
inside chmod 0600 /etc/smsbridge/smsbridge.yaml
inside dpkg --force-depends -i /smsbridge.deb >/dev/null # an upgrade: what the operator set stays
[ "$(inside stat -c %a /etc/smsbridge/smsbridge.yaml)" = 600 ]
inside dpkg -r smsbridge >/dev/null
there /var/lib/smsbridge/message /etc/smsbridge/smsbridge.yaml
gone /usr/bin/smsbridge /lib/systemd/system/smsbridge.service
inside dpkg -P smsbridge >/dev/null
gone /var/lib/smsbridge /etc/smsbridge
echo 'packaging: installed, upgraded, removed with its data kept, purged with all gone'
LIFE
unshare -m bash "$work/life.sh" "$work" "$package" || fail 'its life in a system is not as it must be'
