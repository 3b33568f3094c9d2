//go:build linux

// Command chaos breaks a running smsbridge on purpose, again and again, and proves from
// what others saw of it that it kept its promises.
//
// It builds and starts the real daemon as a process, and is itself all that is around
// it: people who write and read through the HTTP API or by XMPP, an SMSC with phones that answer,
// the wire between SMSC and daemon, and whoever kills. Each of them writes what they see
// into one history. When the run is over, and all that was written has had the time to
// come to its end, package history judges it.
//
//	go run ./internal/chaos -kills 100 -seed 7
//
// What is chosen (who writes what to whom and when, which phone answers, what breaks
// when) is a function of the seed. How the machine interleaves it is not: the same seed
// makes the same run only as far as that.
//
// people.go, xmppuser.go and phones.go are the people, xmpp.go their server, daemon.go the process, wire.go what is between
// it and the SMSC, faults.go and its neighbours what can break, run.go the story of a run.
package main
