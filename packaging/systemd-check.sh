#!/usr/bin/env bash
# The package under a real systemd: systemd-check.sh PACKAGE [ROOT.tar]. A Debian system is made with
# mmdebstrap, booted in a container of its own network by systemd-nspawn, and used as an operator would: install,
# start, reload, freeze, kill, stop, upgrade, reboot, purge. Nothing outside of it is changed. The simulated SMSC
# of the package itself is its SMSC.
#
# Needs root, mmdebstrap and systemd-container. MIRROR is where Debian's packages come from (default: mmdebstrap's);
# SUITE is which Debian. A ROOT.tar that is there is used, and one that is not there is made, so that the next run is
# quicker. WATCHDOG is the WatchdogSec to play with; the unit's own where it is "unit".
set -eu -o pipefail
package=$(realpath "$1") tar=${2:-} suite=${SUITE:-bookworm} watchdog=${WATCHDOG:-5s}
for tool in systemd-nspawn mmdebstrap nsenter dpkg-deb; do
	command -v $tool >/dev/null || { echo "systemd: not checked, for $tool is not installed"; exit 0; }
done
[ "$(id -u)" = 0 ] || { echo 'systemd: not checked, since that needs root'; exit 0; }

work=$(mktemp -d) nspawn='' leader=''
root=$work/root
finish() {
	local code=$?
	if [ -n "$nspawn" ] && kill -0 "$nspawn" 2>/dev/null; then
		[ $code = 0 ] || inside journalctl --no-pager -n 25 -o short-precise -u 'sms*' >&2 || true
		kill "$nspawn" && wait "$nspawn" || true
	fi
	rm -rf "$work"
}
trap finish EXIT
fail() { echo "systemd: $*" >&2; exit 1; }
seen() { printf '%s  %s\n' "$(date -u +%H:%M:%S)" "$*"; }

# inside runs a command in the booted system.
inside() { nsenter -t "$leader" -a -- "$@"; }
# until_ waits, a minute at most or as long as PATIENCE says, until a command succeeds.
until_() {
	local what=$1 end=$((SECONDS + ${PATIENCE:-60}))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || fail "this did not come: $what"
		sleep 0.2
	done
}
# boot starts the system and waits until systemd has started all of it.
boot() {
	systemd-nspawn --quiet --boot -D "$root" --keep-unit --register=no --private-network --console=pipe </dev/null >"$work/console" 2>&1 &
	nspawn=$!
	until_ 'a booted system' booted
}
booted() {
	leader=$(pgrep -P "$nspawn" -x systemd) && inside systemctl is-system-running --wait | grep -xE 'running|degraded'
}
property() { inside systemctl show smsbridge --value -p "$1"; }
is() { [ "$(property "$1")" = "$2" ]; }
another_pid() { [ "$(property MainPID)" != "$1" ] && is ActiveState active; }
http() { inside curl -sS --fail-with-body "$@"; }
bound() { http http://127.0.0.1:9090/readyz; }
start_smsc() {
	inside systemd-run --quiet --unit=smsc -p DynamicUser=yes -p StateDirectory=smsc \
		/usr/bin/smsbridge demo --smsc-only --addr 127.0.0.1:8090 --data /var/lib/smsc
}
# text PHONE WORDS: accepted means that curl is told 202; its id goes to stdout.
text() {
	http -H "Authorization: Bearer $token" -H 'Content-Type: application/json' -d "{\"to\":\"$1\",\"text\":\"$2\"}" \
		http://127.0.0.1:8080/api/v1/messages | sed -nE 's/.*"id": ?"([^"]+)".*/\1/p'
}
status() { http -H "Authorization: Bearer $token" "http://127.0.0.1:8080/api/v1/messages/$1"; }
delivered() { status "$1" | grep -q '"delivered"'; }
# on_phone PHONE WORDS: how often the phone has the text.
on_phone() { http "http://127.0.0.1:8090/phones/$1/messages" | grep -o "$2" | wc -l; }
logged() { [ "$(inside journalctl -u smsbridge --no-pager | grep -c "$1")" -gt 0 ]; }
waiting() { inside smsbridge queue ls --json | tr -d ' \n' | sed -nE 's/.*"stage":"mt","messages":([0-9]+).*/\1/p'; }

# A Debian.
[ -n "$tar" ] || tar=$work/root.tar
if [ ! -e "$tar" ]; then
	seen "a Debian ($suite) is made"
	mmdebstrap --quiet --variant=minbase --include=systemd,systemd-sysv,dbus,adduser,init-system-helpers,ca-certificates,curl \
		"$suite" "$tar" ${MIRROR:+"$MIRROR"}
fi
mkdir "$root"
tar -xf "$tar" -C "$root"
boot
seen "booted: $(inside systemctl --version | head -n 1)"

# Install: nothing starts by itself.
cp "$package" "$root/smsbridge.deb"
inside dpkg -i /smsbridge.deb >/dev/null
! inside systemctl is-enabled --quiet smsbridge || fail 'the installation has enabled the service'
! inside systemctl is-active --quiet smsbridge || fail 'the installation has started the service'
made=$(inside smsbridge user token 2>/dev/null)
token=$(sed -nE 's/^token: +//p' <<<"$made") hash=$(sed -nE 's/^hash: +//p' <<<"$made")
cat >"$root/etc/smsbridge/smsbridge.yaml" <<CONFIG
data_dir: /var/lib/smsbridge
drain_timeout: 30s
numbers: {region: FR, pool: [+33700000001]}
smsc:
  - {name: main, address: 127.0.0.1:2775, system_id: bridge, password: "\${SMSC_PASSWORD}", response_timeout: 25s}
web:
  listen: 127.0.0.1:8080
  users: [{name: ann, password_hash: "\$argon2id\$v=19\$m=65536,t=3,p=1\$c21zYnJpZGdlZXhhbXBsZQ\$TQ4GzTlCHwpUik0j3qwjvNHKG1yPW2e67xz45JoQyp0"}]
  tokens: [{user: ann, hash: "$hash"}]
call_records: {}
CONFIG
install -m 0600 /dev/null "$root/etc/default/smsbridge"
echo SMSC_PASSWORD=secret >"$root/etc/default/smsbridge"

# A password that is missing: the start fails, and says why.
mv "$root/etc/default/smsbridge" "$root/secret"
! inside systemctl start smsbridge 2>/dev/null || fail 'it started without its secret'
logged SMSC_PASSWORD || fail 'the log does not name what is missing'
mv "$root/secret" "$root/etc/default/smsbridge"
seen 'a file that is wrong: the start fails and the log says why'
until_ 'a start by itself once the file is right' is ActiveState active
seen "mended: it starts by itself ($(property NRestarts) tries)"

# Start.
inside systemctl stop smsbridge
start_smsc
inside systemctl enable --now --quiet smsbridge # returns when the daemon has said READY=1
is ActiveState active || fail "it is $(property ActiveState)"
is StatusText Serving. || fail "systemctl status shows: $(property StatusText)"
until_ 'a bound link' bound
id=$(text +33612345601 first)
until_ 'a text that is delivered' delivered "$id"
seen "started: $(property ActiveState), \"$(property StatusText)\", bound, a text delivered"

# The hardening is there, and what the daemon needs as well.
pid=$(property MainPID) # as the system inside sees it
own=$(inside sed -nE 's/^(NoNewPrivs|Seccomp|CapEff|CapBnd|Uid):\s+(\S+).*/\1=\2/p' "/proc/$pid/status" | tr '\n' ' ')
case $own in *CapEff=0000000000000000*) ;; *) fail "the daemon has capabilities: $own" ;; esac
case $own in *NoNewPrivs=1*Seccomp=2*) ;; *) fail "the daemon is not confined: $own" ;; esac
! inside nsenter -t "$pid" -m -- touch /etc/smsbridge/x 2>/dev/null || fail 'the daemon could write to /etc'
until_ 'a call-detail record' inside test -s /var/lib/smsbridge/calls/calls.jsonl
[ "$(inside stat -c '%U %a' /var/lib/smsbridge)" = 'smsbridge 700' ] || fail 'the data is not its own'
seen "confined: $own$(inside systemd-analyze security --no-pager smsbridge | tail -n 1 | sed -E 's/[^ -~]//g; s/ +/ /g')"

# Reload.
inside sed -i 's/response_timeout: 25s/response_timeout: 26s/' /etc/smsbridge/smsbridge.yaml
inside systemctl reload smsbridge
logged response_timeout || fail 'the reload is not in the log'
inside cp /etc/smsbridge/smsbridge.yaml /good.yaml
echo 'nonsense: true' >>"$root/etc/smsbridge/smsbridge.yaml"
! inside systemctl reload smsbridge 2>/dev/null || fail 'a bad file was taken'
is ActiveState active && is MainPID "$pid" || fail 'a bad file ended the daemon'
inside cp /good.yaml /etc/smsbridge/smsbridge.yaml
inside systemctl reload smsbridge
is MainPID "$pid" || fail 'a reload started another daemon'
seen 'reloaded: a good file counts, a bad one is refused and changes nothing'

# Frozen: the watchdog has it started anew.
if [ "$watchdog" != unit ]; then
	mkdir -p "$root/etc/systemd/system/smsbridge.service.d"
	printf '[Service]\nWatchdogSec=%s\n' "$watchdog" >"$root/etc/systemd/system/smsbridge.service.d/override.conf"
	inside systemctl daemon-reload
	inside systemctl restart smsbridge
	pid=$(property MainPID)
fi
before=$(property NRestarts) began=$SECONDS
inside systemctl kill --kill-who=main --signal=SIGSTOP smsbridge
PATIENCE=240 until_ 'another daemon after the watchdog' another_pid "$pid"
logged 'Watchdog timeout' || fail 'that was not the watchdog'
[ "$(property NRestarts)" -gt "$before" ] || fail 'that was no restart by systemd'
seen "frozen (SIGSTOP): started anew after $((SECONDS - began)) s, WatchdogSec=$(property WatchdogUSec)"

# Killed.
pid=$(property MainPID) began=$SECONDS
inside systemctl kill --kill-who=main --signal=SIGKILL smsbridge
until_ 'another daemon after kill -9' another_pid "$pid"
until_ 'a bound link' bound
id=$(text +33612345601 second)
until_ 'a text that is delivered' delivered "$id"
seen "killed (SIGKILL): active again after $((SECONDS - began)) s, and delivers"

# Stopped while a submit has no answer yet (a phone of the simulator that ends in 00504 makes the SMSC answer late):
# it is waited for, beyond a TimeoutStopSec that is too short for that.
mkdir -p "$root/etc/systemd/system/smsbridge.service.d"
printf '[Service]\nTimeoutStopSec=2s\n' >"$root/etc/systemd/system/smsbridge.service.d/stop.conf"
inside systemctl daemon-reload
id=$(text +33612300504 late)
submitted() { inside smsbridge trace "$id" | grep -q submit; }
until_ 'a submit' submitted
began=$SECONDS
inside systemctl stop smsbridge
took=$((SECONDS - began))
is Result success && is ExecMainStatus 0 || fail "it stopped with $(property Result), $(property ExecMainStatus)"
rm "$root/etc/systemd/system/smsbridge.service.d/stop.conf"
inside systemctl daemon-reload
inside systemctl start smsbridge
until_ 'the status of what was under way' delivered "$id"
[ "$(on_phone +33612300504 late)" = 1 ] || fail "the phone has it $(on_phone +33612300504 late) times"
[ $took -gt 2 ] || fail 'the SMSC answered too soon to show a drain'
seen "stopped: the drain took $took s with TimeoutStopSec=2s, its text is delivered once"
! logged 'the daemon is stuck' || fail 'it was taken for stuck'

# Upgrade, while texts wait.
inside systemctl stop smsc
ids=()
for n in 1 2 3 4 5; do ids+=("$(text +33612345601 "waits $n")"); done
waits_all() { [ "$(waiting)" = 5 ]; }
until_ 'five texts that wait' waits_all
dpkg-deb -R "$package" "$work/newer"
sed -Ei 's/^(Version: .*)/\1+newer/' "$work/newer/DEBIAN/control"
dpkg-deb -Zgzip -z1 --root-owner-group --build "$work/newer" "$root/newer.deb" >/dev/null
pid=$(property MainPID)
inside dpkg -i /newer.deb >/dev/null
another_pid "$pid" || fail 'the upgrade did not restart the daemon'
waits_all || fail "$(waiting) texts wait after the upgrade, not 5"
seen 'upgraded: the daemon was restarted, and the five texts wait still'

# Reboot, while they wait.
inside systemctl reboot || true # the connection to systemd may end first
ended=0
wait "$nspawn" || ended=$?
[ $ended = 133 ] || fail "the container ended with $ended, not for a reboot"
boot
until_ 'the service after a reboot' is ActiveState active
waits_all || fail "$(waiting) texts wait after the reboot, not 5"
start_smsc
for n in 1 2 3 4 5; do
	until_ "text $n" delivered "${ids[n - 1]}"
	[ "$(on_phone +33612345601 "waits $n")" = 1 ] || fail "text $n is not there once"
done
seen 'rebooted: the service came by itself, and the five texts are delivered, each once'

# Removed and purged.
inside dpkg -r smsbridge >/dev/null 2>&1
! inside systemctl is-active --quiet smsbridge || fail 'it runs, and its package is gone'
inside test -d /var/lib/smsbridge/queue || fail 'removing the package took the messages'
inside dpkg -P smsbridge >/dev/null 2>&1
for path in /var/lib/smsbridge /etc/smsbridge /etc/default/smsbridge /etc/systemd/system/multi-user.target.wants/smsbridge.service; do
	! inside test -e $path -o -L $path || fail "$path is left"
done
seen 'removed: stopped, its data kept; purged: nothing is left'
echo "systemd: $(basename "$package") does what it must"
