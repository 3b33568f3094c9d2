// Package peers starts programs that nobody here wrote, for tests to talk to: XMPP
// servers ([Prosody], [Ejabberd], [ProsodyTLS]), people's XMPP clients ([XMPPClient]), an SMSC ([NodeSMPP]), an SMSC's
// client ([Kannel]), the tester of alerts ([Promtool]) and a NATS cluster ([NATS]), which is built from the module in go.mod.
//
// They listen on loopback, on ports that the system picks, keep their files in
// t.TempDir and end with the test. Where one is not installed the test is skipped with
// the reason, or fails if SMSBRIDGE_PEERS is "require", as in CI. install.sh installs
// them all on Debian 12.
package peers
