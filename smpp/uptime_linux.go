package smpp

import (
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"smsbridge/bridge"
)

// bootID names this start of the machine; empty where the system does not tell.
var bootID = sync.OnceValue(func() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(id))
})

// uptime is now by the clock that runs since the machine was switched on, its sleep
// included, so that it can be compared after a restart of the daemon.
func uptime() bridge.Uptime {
	var t unix.Timespec
	if bootID() == "" || unix.ClockGettime(unix.CLOCK_BOOTTIME, &t) != nil {
		return bridge.Uptime{}
	}
	return bridge.Uptime{Boot: bootID(), Since: time.Duration(t.Nano())}
}
