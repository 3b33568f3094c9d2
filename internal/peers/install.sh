#!/bin/bash
# Installs what the peer tests, and those that cut a disk's power, need, on Debian 12: run it as root, or with sudo at hand.
# What is there already is left alone, so that it is quick the second time.
# The tests start programs of their own on free ports. What Debian would start as a
# service when it installs it neither starts now nor with the machine.
set -eu -o pipefail
cd "$(dirname "$0")"

packages=(prosody ejabberd stunnel4 lua-sec lua-dbi-sqlite3 kannel python3-slixmpp tmux tshark chromium nodejs npm prometheus e2fsprogs xfsprogs btrfs-progs)
# A command of the same name from elsewhere does as well.
have() {
  case $1 in
    nodejs) command -v node >/dev/null && return ;;
    prometheus) command -v promtool >/dev/null && return ;;
    npm | tmux | tshark | chromium) command -v "$1" >/dev/null && return ;;
  esac
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

missing=()
for p in "${packages[@]}"; do have "$p" || missing+=("$p"); done
if [ ${#missing[@]} -gt 0 ]; then
  command -v apt-get >/dev/null || { echo "missing: ${missing[*]}; this script knows how to install them on Debian only" >&2; exit 1; }
  sudo=; [ "$(id -u)" = 0 ] || sudo=sudo
  install() { $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}"; }
  # policy-rc.d(8) forbids services to start, for as long as this runs.
  policy=/usr/sbin/policy-rc.d
  if ! [ -e $policy ]; then
    trap '$sudo rm -f $policy' EXIT
    printf '#!/bin/sh\nexit 101\n' | $sudo tee $policy >/dev/null && $sudo chmod 755 $policy
  fi
  # The package lists may be absent or old: then they are fetched, once.
  [ -n "$(find /var/lib/apt/lists -name '*_Packages*' -print -quit 2>/dev/null)" ] && install || { $sudo apt-get update -q && install; }
  for p in "${missing[@]}"; do
    case $p in prosody | ejabberd | stunnel4 | kannel | prometheus) $sudo update-rc.d "$p" disable ;; esac
  done
fi

# The marker that npm leaves tells whether node_modules is what the lock file says.
if ! [ nodesmpp/node_modules/.package-lock.json -nt nodesmpp/package-lock.json ]; then
  (cd nodesmpp && npm ci --no-audit --no-fund)
fi
# The command-line tool of NATS. Its version stands in natscli.go too.
natscli=v0.5.1
bin=$PWD/../../.peers/natscli-$natscli
[ -x "$bin/nats" ] || GOBIN="$bin" go install github.com/nats-io/natscli/nats@$natscli
echo "peers: installed"
