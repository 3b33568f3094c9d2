package smpp

import (
	"fmt"
	"unicode"
)

// checkBinary refuses what is for a program on a phone: a header names the port of one
// (3GPP TS 23.040, 9.2.3.24.3 and 9.2.3.24.4), or data_coding says 8-bit data and there are
// octets in it that no text has. Some SMSCs say 8-bit of plain text.
func checkBinary(dataCoding byte, octets []byte, h header) error {
	switch {
	case h.ported:
		return fmt.Errorf("%w: %d octets for the program at port %d (%s)", ErrBinary, len(octets), h.port, portName(h.port))
	case codingOf(dataCoding) == codingOctets && !readable(octets):
		return fmt.Errorf("%w: %d octets with data_coding 0x%02X", ErrBinary, len(octets), dataCoding)
	default:
		return nil
	}
}

// portName names the ports that are met most.
func portName(port int) string {
	switch port {
	case 2948, 2949:
		return "WAP push"
	case 5505, 5506, 5507, 5508, 5580, 5581, 5582, 5583:
		return "ringtone, logo or picture"
	case 9204, 226:
		return "vCard"
	case 9205, 228:
		return "vCalendar"
	default:
		return "of no common use"
	}
}

// readable tells whether octets are text in UTF-8 or Latin-1: without control characters
// other than those that end lines.
func readable(octets []byte) bool {
	for _, r := range decodeOctets(octets) {
		if unicode.IsControl(r) && r != '\n' && r != '\r' && r != '\t' {
			return false
		}
	}
	return true
}
