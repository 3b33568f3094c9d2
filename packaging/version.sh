#!/usr/bin/env bash
# The version of the commit at hand, in a form that Debian sorts: 1.2.3 at the tag v1.2.3, 1.2.3+5.gabc1234 five
# commits later, and before any tag the day and the commit: 0.0~git20261122.abc1234.
set -eu -o pipefail
cd "$(dirname "$0")/.."
if tagged=$(git describe --tags --match 'v[0-9]*' 2>/dev/null); then
	sed -E 's/^v//; s/-([0-9]+)-g/+\1.g/; s/-/~/g' <<<"$tagged"
else
	git log -1 --date=format:%Y%m%d --format=0.0~git%cd.%h
fi
