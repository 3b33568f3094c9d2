package peers

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// natscli is the version that install.sh builds.
const natscli = "v0.5.1"

// NATSCommand asks the server at url by the command line of NATS, as an operator does, and reads
// the JSON that it prints into answer.
func NATSCommand(t testing.TB, url string, answer any, args ...string) {
	t.Helper()
	program := filepath.Join(root(t), ".peers", "natscli-"+natscli, "nats")
	if _, err := os.Stat(program); err != nil {
		missing(t, "the command line of NATS is not installed")
	}
	cmd := exec.CommandContext(t.Context(), program, append([]string{"--server", url}, append(args, "--json")...)...)
	// Not what the user has in his contexts.
	cmd.Env = append(os.Environ(), "XDG_CONFIG_HOME="+t.TempDir(), "HOME="+t.TempDir())
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", cmd, err, out, stderrOf(err))
	}
	if err := json.Unmarshal(out, answer); err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, out)
	}
}

func stderrOf(err error) []byte {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.Stderr
	}
	return nil
}
