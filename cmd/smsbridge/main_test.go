package main

import (
	"net/http"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// asDaemon in the environment makes the test binary the smsbridge command itself, so
// that tests can kill a daemon like an operator's.
const asDaemon = "SMSBRIDGE_TEST_AS_DAEMON"

func TestMain(m *testing.M) {
	if os.Getenv(asDaemon) != "" {
		os.Exit(run())
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		http.DefaultClient.CloseIdleConnections()
		os.Exit(code)
	}))
}
