-- Prosody 0.12 for tests: loopback only, no TLS, no s2s. Go sets the variables.
local dir = os.getenv("PEER_DIR")
run_as_root = os.getenv("PEER_ROOT") == "1"
daemonize = false
pidfile = dir .. "/prosody.pid"
data_path = dir .. "/data"
log = { { levels = { min = "info" }, to = "console" } }
interfaces = { "127.0.0.1" }
local_interfaces = { "127.0.0.1" }
c2s_ports = { tonumber(os.getenv("PEER_C2S")) }
component_ports = { tonumber(os.getenv("PEER_COMPONENT")) }
s2s_ports = {}
http_ports = {}
https_ports = {}
modules_enabled = {
  "roster", "saslauth", "disco", "ping", "presence", "message", "iq", "offline", "c2s",
  "carbons", "mam", "smacks", "csi_simple", "pep", "blocklist",
}
modules_disabled = { "s2s", "tls" }
c2s_require_encryption = false
authentication = "internal_plain" -- accounts are files that Go writes
storage = "internal"
limits = {} -- the packaged default throttles c2s to 10 kB/s

VirtualHost "localhost"

Component "sms.localhost"
  component_secret = "s3cret"
