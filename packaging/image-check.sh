#!/usr/bin/env bash
# The container image at work: image-check.sh IMAGE. A simulated SMSC and the daemon run from it with
# podman, without a network, capabilities and a writable root; a text goes out and an answer comes back, a stop
# drains, and another container on the same volume goes on. What it makes is removed. Needs root, podman, nsenter and curl.
# RUN_FLAGS are for `podman run` on machines that want some (without a systemd, --health-interval disable).
set -eu -o pipefail
image=$1
for tool in podman nsenter curl; do
	command -v $tool >/dev/null || { echo "image: not checked, for $tool is not installed"; exit 0; }
done
[ "$(id -u)" = 0 ] || { echo 'image: not checked, since that needs root'; exit 0; }

work=$(mktemp -d) name=smsbridge-check-$$
finish() {
	local code=$?
	[ $code = 0 ] || for c in smsc bridge; do podman logs $name-$c 2>&1 | tail -n 20 >&2 || true; done
	for c in bridge smsc; do podman rm -f -v -t 0 $name-$c >/dev/null 2>&1 || true; done # the second has the network of both
	podman volume rm -f $name >/dev/null 2>&1 || true
	rm -rf "$work"
}
trap finish EXIT
fail() { echo "image: $*" >&2; exit 1; }
seen() { printf '%s  %s\n' "$(date -u +%H:%M:%S)" "$*"; }
until_() {
	local what=$1 end=$((SECONDS + 60))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || fail "this did not come: $what"
		sleep 0.2
	done
}
run() { # run NAME NETWORK FLAG... -- COMMAND...
	local name=$1 network=$2 flags=()
	shift 2
	while [ "$1" != -- ]; do flags+=("$1") && shift; done
	shift
	# shellcheck disable=SC2086 # several flags in one variable
	podman run -d --name "$name" --network "$network" --read-only --cap-drop all --security-opt no-new-privileges \
		--stop-timeout 40 ${RUN_FLAGS:-} "${flags[@]}" "$image" "$@" >/dev/null
}
pid_of() { podman inspect "$1" --format '{{.State.Pid}}'; }
http() { nsenter -t "$(pid_of $name-smsc)" -n curl -sS --fail-with-body "$@"; }
bridge() { podman exec $name-bridge /usr/bin/smsbridge "$@"; }
start_bridge() {
	run $name-bridge container:$name-smsc -v "$name:/var/lib/smsbridge" -v "$work/etc:/etc/smsbridge:ro" -e SMSC_PASSWORD=secret -- \
		serve --config /etc/smsbridge/smsbridge.yaml
	until_ 'a bound link' http http://127.0.0.1:9090/readyz
}
text() {
	http -H "Authorization: Bearer $token" -H 'Content-Type: application/json' -d "{\"to\":\"$1\",\"text\":\"$2\"}" \
		http://127.0.0.1:8080/api/v1/messages | sed -nE 's/.*"id": ?"([^"]+)".*/\1/p'
}
delivered() { http -H "Authorization: Bearer $token" "http://127.0.0.1:8080/api/v1/messages/$1" | grep '"delivered"'; }
answered() { http -H "Authorization: Bearer $token" "http://127.0.0.1:8080/api/v1/conversations/$1/messages" | grep "$2"; }
on_phone() { http "http://127.0.0.1:8090/phones/$1/messages" | grep -o "$2" | wc -l; }

made=$(podman run --rm --network none ${RUN_FLAGS:-} "$image" user token 2>/dev/null) # shellcheck disable=SC2086
token=$(sed -nE 's/^token: +//p' <<<"$made") hash=$(sed -nE 's/^hash: +//p' <<<"$made")
mkdir -m 0755 "$work/etc"
cat >"$work/etc/smsbridge.yaml" <<CONFIG
data_dir: /var/lib/smsbridge
drain_timeout: 30s
numbers: {region: FR, pool: [+33700000001]}
smsc:
  - {name: main, address: 127.0.0.1:2775, system_id: bridge, password: "\${SMSC_PASSWORD}", response_timeout: 25s}
web:
  listen: 127.0.0.1:8080
  users: [{name: ann, password_hash: "\$argon2id\$v=19\$m=65536,t=3,p=1\$c21zYnJpZGdlZXhhbXBsZQ\$TQ4GzTlCHwpUik0j3qwjvNHKG1yPW2e67xz45JoQyp0"}]
  tokens: [{user: ann, hash: "$hash"}]
CONFIG
chmod 0755 "$work"
run $name-smsc none -- demo --smsc-only --addr 127.0.0.1:8090 --data /var/lib/smsbridge
until_ 'a simulated SMSC' http http://127.0.0.1:8090/phones
start_bridge

id=$(text +33612345601 first)
until_ 'a text that is delivered' delivered "$id"
http -H 'Content-Type: application/json' -d '{"to":"+33700000001","text":"answer"}' http://127.0.0.1:8090/phones/+33612345601/messages >/dev/null
until_ 'an answer' answered +33612345601 answer
seen 'started: bound, a text is delivered, its answer has come'

own=$(sed -nE 's/^(NoNewPrivs|CapEff|Uid):\s+(\S+).*/\1=\2/p' "/proc/$(pid_of $name-bridge)/status" | tr '\n' ' ')
[ "$own" = 'Uid=65532 CapEff=0000000000000000 NoNewPrivs=1 ' ] || fail "the daemon runs with $own"
data=$(podman volume inspect "$name" --format '{{.Mountpoint}}')
[ "$(stat -c '%u %a' "$data")" = '65532 700' ] || fail "the volume is $(stat -c '%u %a' "$data")"
[ -z "$(find "$data" -mindepth 1 ! -uid 65532 -print -quit)" ] || fail 'not all of the data is its own'
podman healthcheck run $name-bridge >/dev/null || fail 'the health check fails'
seen "confined: $own; the volume is for its owner; the health check succeeds"

# A phone of the simulator that ends in 00504 makes the SMSC answer late.
id=$(text +33612300504 late)
submitted() { bridge trace "$id" | grep submit; }
until_ 'a submit' submitted
began=$SECONDS
podman stop $name-bridge >/dev/null
took=$((SECONDS - began))
[ "$(podman inspect $name-bridge --format '{{.State.ExitCode}}')" = 0 ] || fail 'it stopped with an error'
podman rm $name-bridge >/dev/null
start_bridge
until_ 'the status of what was under way' delivered "$id"
[ "$(on_phone +33612300504 late)" = 1 ] || fail "the phone has it $(on_phone +33612300504 late) times"
[ $took -gt 2 ] || fail 'the SMSC answered too soon to show a drain'
seen "stopped: the drain took $took s; another container on the volume went on, the text is delivered once"
echo "image: $image does what it must"
