package disk

import (
	"flag"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// inside in the environment says that the process has mounts of its own.
const inside = "SMSBRIDGE_TEST_DISK"

// Namespaced runs test in a process that has mounts of its own, so that none outlives it.
// It skips, with the reason, where the machine has no means for [Mount].
// The test's own name is run once more, in a child; env is added to its environment.
func Namespaced(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	if os.Getenv(inside) != "" {
		test(t)
		return
	}
	if os.Getuid() != 0 {
		missing(t, "mounting a disk needs root")
	}
	for _, device := range []string{"/dev/fuse", "/dev/loop-control"} {
		if _, err := os.Stat(device); err != nil {
			missing(t, err.Error())
		}
	}
	args := []string{"-test.run=^" + t.Name() + "$", "-test.count=1", "-test.v=" + flag.Lookup("test.v").Value.String()}
	if end, ok := t.Deadline(); ok { // the child ends first, to say where it was
		args = append(args, "-test.timeout="+(time.Until(end)*9/10).String())
	}
	child := exec.CommandContext(t.Context(), os.Args[0], args...)
	child.Env = append(os.Environ(), inside+"=1")
	child.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	said, err := child.CombinedOutput()
	t.Logf("%s", said)
	if err != nil {
		t.Errorf("with mounts of its own: %v", err)
	}
}

// missing ends the test: the machine has no means for it.
func missing(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("SMSBRIDGE_DISKS") == "require" {
		t.Fatal(why)
	}
	t.Skip(why)
}
