#!/usr/bin/env bash
# Makes the container image of a binary that `make build` built: image.sh BINARY NAME:TAG. Needs podman, buildah
# or docker, the first that is there or what BUILDER names, and the certificate authorities of this machine.
set -eu -o pipefail
binary=$1 image=$2
authorities=${CA_CERTIFICATES:-/etc/ssl/certs/ca-certificates.crt}
here=$(cd "$(dirname "$0")" && pwd)

builder=${BUILDER:-}
for tool in podman buildah docker; do
	[ -n "$builder" ] || ! command -v $tool >/dev/null || builder=$tool
done
[ -n "$builder" ] || { echo 'image: none of podman, buildah and docker is installed' >&2; exit 1; }
[ -s "$authorities" ] || { echo "image: $authorities is missing: install ca-certificates, or name another in CA_CERTIFICATES" >&2; exit 1; }

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
install -m 0755 "$binary" "$root/smsbridge"
install -m 0644 "$authorities" "$root/ca-certificates.crt"
install -d -m 0700 "$root/lib/smsbridge"

format=()
[ "$builder" = docker ] || format=(--format docker) # that of OCI has no HEALTHCHECK
"$builder" build "${format[@]}" -f "$here/Containerfile" -t "$image" "$root"
