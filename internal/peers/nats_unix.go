//go:build unix

package peers

import "syscall"

// Freeze has a server do nothing, with its connections open, until Thaw.
func (c *NATSCluster) Freeze(i int) { c.signal(i, syscall.SIGSTOP) }

// Thaw lets a server go on after Freeze.
func (c *NATSCluster) Thaw(i int) { c.signal(i, syscall.SIGCONT) }

func (c *NATSCluster) signal(i int, sig syscall.Signal) {
	c.nodes[i].t.Helper()
	if err := c.nodes[i].process.cmd.Process.Signal(sig); err != nil {
		c.nodes[i].t.Fatal(err)
	}
}
