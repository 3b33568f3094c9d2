//go:build !linux

package smpp

import "smsbridge/bridge"

// uptime is not known here: the time of day decides.
func uptime() bridge.Uptime { return bridge.Uptime{} }
