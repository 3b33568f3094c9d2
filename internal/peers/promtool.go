package peers

import (
	"os/exec"
	"testing"
)

// Promtool runs Prometheus's promtool with args and fails the test where it finds fault. It
// skips the test where promtool is not installed.
func Promtool(t testing.TB, args ...string) {
	t.Helper()
	program, err := exec.LookPath("promtool")
	if err != nil {
		missing(t, "promtool is not installed")
	}
	if said, err := exec.CommandContext(t.Context(), program, args...).CombinedOutput(); err != nil {
		t.Errorf("promtool %v: %v\n%s", args, err, said)
	}
}
