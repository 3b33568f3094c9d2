package peers

import (
	"os/exec"
	"syscall"
)

// dieWithParent ends the process also where the test could not clean up.
func dieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
