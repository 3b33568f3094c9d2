//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
)

// island is a network namespace in which one daemon lives, joined to the rest by one cable
// of its own. It takes root. The rest is at an address of the harness's own.
type island struct {
	name       string // of the namespace
	near, far  string // the ends of the cable: ours, the daemon's
	ours, addr string // their addresses
	mainland   string // where SMSC and NATS are
}

// subnet is where the addresses of this process's islands are.
func subnet() string {
	pid := os.Getpid()
	return fmt.Sprintf("10.%d.%d", 64+pid>>8&63, pid&255)
}

// newMainland makes the address that all islands reach; remove takes it away. The error says
// why this machine cannot.
func newMainland() (addr string, remove func() error, err error) {
	if os.Geteuid() != 0 {
		return "", nil, errors.New("network namespaces take root")
	}
	addr = subnet() + ".1"
	if err := ip("addr", "add", addr+"/32", "dev", "lo"); err != nil {
		return "", nil, err
	}
	return addr, func() error { return ip("addr", "del", addr+"/32", "dev", "lo") }, nil
}

// newIsland makes the n-th island.
func newIsland(n int, mainland string) (*island, error) {
	id := fmt.Sprintf("%d-%d", os.Getpid(), n)
	i := &island{
		name: "chaos-" + id, near: "cn" + id, far: "cf" + id, mainland: mainland,
		ours: fmt.Sprintf("%s.%d", subnet(), 9+4*n), addr: fmt.Sprintf("%s.%d", subnet(), 10+4*n),
	}
	for _, args := range [][]string{
		{"netns", "add", i.name},
		{"link", "add", i.near, "type", "veth", "peer", "name", i.far, "netns", i.name},
		{"addr", "add", i.ours + "/30", "dev", i.near},
		{"link", "set", i.near, "up"},
		{"-n", i.name, "addr", "add", i.addr + "/30", "dev", i.far},
		{"-n", i.name, "link", "set", "lo", "up"},
		{"-n", i.name, "link", "set", i.far, "up"},
		{"-n", i.name, "route", "add", "default", "via", i.ours},
	} {
		if err := ip(args...); err != nil {
			return nil, errors.Join(err, i.remove())
		}
	}
	return i, nil
}

// cutOff loses all that is sent over the cable, both ways and without a word: it goes to a
// card that nobody has.
func (i *island) cutOff() error {
	const nobody = "02:00:00:00:00:01"
	return errors.Join(
		ip("neigh", "replace", i.addr, "lladdr", nobody, "nud", "permanent", "dev", i.near),
		ip("-n", i.name, "neigh", "replace", i.ours, "lladdr", nobody, "nud", "permanent", "dev", i.far),
	)
}

// joinAgain ends that.
func (i *island) joinAgain() error {
	return errors.Join(
		ip("neigh", "del", i.addr, "dev", i.near),
		ip("-n", i.name, "neigh", "del", i.ours, "dev", i.far),
	)
}

// remove takes the namespace away, and the cable with it.
func (i *island) remove() error { return ip("netns", "del", i.name) }

func ip(args ...string) error {
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil { //nolint:noctx // it is over in a moment
		return fmt.Errorf("ip %q: %w: %s", args, err, out)
	}
	return nil
}
