//go:build unix

// Package port keeps ports for programs that are started later: a NATS server must be told the
// ports of the others before they run, and a test that starts a program again wants it where it was.
package port

import (
	"net"
	"net/netip"
	"os"
	"strconv"
	"sync"
	"syscall"
)

// Reserved is a TCP port that the system picked. Until it is released the system gives it to nobody
// that asks for any port, nor to an outgoing connection; whoever names it may listen on it, as often
// as he likes, if he sets SO_REUSEADDR as most servers do. A connection to it is refused until then.
//
// Closing a listener and hoping that nobody takes its port is not the same: of the ports of
// one cluster of three, two were the same once in some thousand runs.
type Reserved struct {
	Addr    string // host:port
	Release func() // may be called again, from any goroutine
}

// Reserve keeps a port at host, an IPv4 address of this machine.
func Reserve(host string) (Reserved, error) {
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return Reserved{}, err
	}
	// Bound, but not listening: of two sockets with SO_REUSEADDR only one may listen (socket(7)).
	syscall.ForkLock.RLock()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return Reserved{}, os.NewSyscallError("socket", err)
	}
	number, err := bind(fd, ip)
	if err != nil {
		_ = syscall.Close(fd)
		return Reserved{}, err
	}
	release := sync.OnceFunc(func() { _ = syscall.Close(fd) })
	return Reserved{Addr: net.JoinHostPort(host, strconv.Itoa(number)), Release: release}, nil
}

// bind lets the system pick a port for the socket.
func bind(fd int, ip netip.Addr) (int, error) {
	if !ip.Is4() {
		return 0, &net.AddrError{Err: "not an IPv4 address", Addr: ip.String()}
	}
	if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		return 0, os.NewSyscallError("setsockopt", err)
	}
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: ip.As4()}); err != nil {
		return 0, os.NewSyscallError("bind", err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		return 0, os.NewSyscallError("getsockname", err)
	}
	return name.(*syscall.SockaddrInet4).Port, nil
}
