package smpp

import (
	"time"

	"smsbridge/bridge"
)

// before is the moment that was d before u.
func before(u bridge.Uptime, d time.Duration) bridge.Uptime {
	if u.Boot != "" {
		u.Since -= d
	}
	return u
}
