package smpp_test

import (
	"strings"
	"testing"

	"smsbridge/smpp"
)

func TestParseStatus(t *testing.T) {
	for text, want := range map[string]smpp.Status{
		"ESME_RTHROTTLED": smpp.StatusThrottled, "esme_rinvdstadr": smpp.StatusInvDstAdr, "0x0B": smpp.StatusInvDstAdr,
		"0x00000400": 0x400, "1024": 0x400, "88": smpp.StatusThrottled,
	} {
		if got, err := smpp.ParseStatus(text); err != nil || got != want {
			t.Errorf("%s is %s, %v", text, got.Label(), err)
		}
	}
	for _, text := range []string{"", "ESME_RUNHEARDOF", "-1", "0x100000000", "busy"} {
		if got, err := smpp.ParseStatus(text); err == nil || !strings.Contains(err.Error(), "ESME_RTHROTTLED or 0x58") {
			t.Errorf("%q is %s, %v", text, got.Label(), err)
		}
	}
}

func TestParseClass(t *testing.T) {
	for _, want := range []smpp.Class{smpp.ClassPermanent, smpp.ClassTemporary, smpp.ClassThrottle, smpp.ClassLink} {
		if got, err := smpp.ParseClass(want.String()); err != nil || got != want {
			t.Errorf("%s is %s, %v", want, got, err)
		}
	}
	for _, text := range []string{"", "ok", "Temporary"} { // what was refused cannot have been taken
		if got, err := smpp.ParseClass(text); err == nil {
			t.Errorf("%q is %s", text, got)
		}
	}
}
