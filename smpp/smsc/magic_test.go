package smsc_test

import (
	"errors"
	"net"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"smsbridge/bridge"
	"smsbridge/smpp"
	"smsbridge/smpp/smsc"
)

const magicPrefix = "336123"

func TestMagicBusy(t *testing.T) {
	const busyFor = 50 * time.Millisecond
	for suffix, status := range map[string]smpp.Status{"00429": smpp.StatusThrottled, "00503": smpp.StatusMsgQFul, "00500": smpp.StatusSysErr} {
		t.Run(suffix, func(t *testing.T) {
			s, _ := start(t, smsc.Config{BusyFor: busyFor})
			c := bind(t, s, nil)
			begin := time.Now()
			if answer := c.submit(magicPrefix+suffix, "a", 1)[0]; answer.Status != status {
				t.Fatalf("at first %s, want %s", answer.Status, status)
			}
			for {
				answer := c.submit(magicPrefix+suffix, "a", 1)[0]
				if answer.Status == smpp.StatusOK {
					break
				}
				if answer.Status != status || time.Since(begin) > patience {
					t.Fatalf("later %s", answer.Status)
				}
			}
			if time.Since(begin) < busyFor {
				t.Error("accepted too early")
			}
			if r := c.read(); r.Receipt == nil || r.Receipt.State != bridge.ReceiptDelivered {
				t.Errorf("%+v", r)
			}
		})
	}
}

func TestMagicRefused(t *testing.T) {
	s, _ := start(t, smsc.Config{})
	if answer := bind(t, s, nil).submit(magicPrefix+"00404", "a", 1)[0]; answer.Status != smpp.StatusInvDstAdr {
		t.Error(answer.Status)
	}
}

func TestMagicSilent(t *testing.T) {
	s, _ := start(t, smsc.Config{})
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	session := smpp.NewSession(conn, smpp.SessionConfig{ResponseTimeout: time.Second, EnquireInterval: time.Minute})
	ended := make(chan error, 1)
	go func() { ended <- session.Run(t.Context()) }()
	if _, err := session.Bind(t.Context(), smpp.BindTransceiver, smpp.Bind{SystemID: "ann"}); err != nil {
		t.Fatal(err)
	}
	_, err = session.Request(t.Context(), &smpp.PDU{Command: smpp.SubmitSM, Short: &smpp.Short{
		Destination: bridge.Address{TON: 1, NPI: 1, Addr: magicPrefix + "00408"}, Body: []byte("a"),
	}})
	if !errors.Is(err, smpp.ErrUnknown) {
		t.Error(err)
	}
	_ = session.Close()
	<-ended
	if phones := getJSON[[]smsc.Phone](t, web(t, s)+"phones"); len(phones) != 0 {
		t.Errorf("a phone got it: %+v", phones)
	}
}

func TestMagicLate(t *testing.T) {
	const late = 50 * time.Millisecond
	s, _ := start(t, smsc.Config{LateAfter: late})
	c := bind(t, s, nil)
	begin := time.Now()
	answer := c.submit(magicPrefix+"00504", "a", 1)[0]
	if answer.Status != smpp.StatusOK || time.Since(begin) < late {
		t.Errorf("%s after %s", answer.Status, time.Since(begin))
	}
	if r := c.read(); r.Receipt == nil || r.Receipt.Candidates[0] != answer.MessageID {
		t.Errorf("%+v", r)
	}
}

func TestMagicReceipts(t *testing.T) {
	tests := []struct {
		suffix string
		states []bridge.ReceiptState
		phones int
	}{
		{"00410", []bridge.ReceiptState{bridge.ReceiptFailed}, 0},
		{"00419", []bridge.ReceiptState{bridge.ReceiptExpired}, 0},
		{"00204", nil, 1},
		{"00208", []bridge.ReceiptState{bridge.ReceiptDelivered, bridge.ReceiptDelivered}, 1},
		{"00303", []bridge.ReceiptState{bridge.ReceiptDelivered}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.suffix, func(t *testing.T) {
			s, _ := start(t, smsc.Config{})
			c := bind(t, s, nil)
			answer := c.submit(magicPrefix+tt.suffix, "a", 1)[0]
			if answer.Status != smpp.StatusOK {
				t.Fatal(answer.Status)
			}
			for _, state := range tt.states {
				r := c.read()
				if r.Receipt == nil || r.Receipt.State != state {
					t.Fatalf("%+v, want %s", r.Receipt, state)
				}
				if !slices.Contains(r.Receipt.Candidates, answer.MessageID) {
					t.Errorf("%q is not among %q", answer.MessageID, r.Receipt.Candidates)
				}
				if inHex := r.Receipt.Candidates[0] != answer.MessageID; inHex != (tt.suffix == "00303") {
					t.Errorf("the receipt says %q and the answer %q", r.Receipt.Candidates[0], answer.MessageID)
				}
			}
			// A message that goes well is the barrier: its receipt is due after any other.
			c.submit(phone.Digits(), "barrier", 1)
			if r := c.read(); r.Phone != phone {
				t.Errorf("one receipt too many: %+v", r.Receipt)
			}
			if phones := getJSON[[]smsc.Phone](t, web(t, s)+"phones"); len(phones)-1 != tt.phones {
				t.Errorf("%d phones got it", len(phones)-1)
			}
		})
	}
}

func TestMagicEarlyReceipt(t *testing.T) {
	s, _ := start(t, smsc.Config{})
	var answered atomic.Bool
	early := make(chan bool, 1)
	c := bind(t, s, func(p *smpp.PDU) *smpp.PDU {
		early <- !answered.Load()
		return p.Answer(smpp.StatusOK)
	})
	answer := c.submit(magicPrefix+"00103", "a", 1)[0]
	answered.Store(true)
	if !<-early {
		t.Error("the answer came before the receipt")
	}
	if r := c.read(); r.Receipt == nil || r.Receipt.Candidates[0] != answer.MessageID {
		t.Errorf("%+v", r)
	}
}

// The table of the documentation is the table of the program, and ordinary numbers are
// rarely hit.
func TestMagicTable(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	documented := regexp.MustCompile(`(?m)^//\t(\d{5})  `).FindAllSubmatch(doc, -1)
	if len(documented) != len(smsc.Magic()) {
		t.Errorf("doc.go lists %d magic numbers of %d", len(documented), len(smsc.Magic()))
	}
	for i, m := range smsc.Magic()[:len(documented)] {
		if got := string(documented[i][1]); got != m.Suffix {
			t.Errorf("doc.go lists %s where the program has %s", got, m.Suffix)
		}
	}
	seen := make(map[string]bool)
	for _, m := range smsc.Magic() {
		if len(m.Suffix) != 5 || !strings.HasPrefix(m.Suffix, "00") || m.Text == "" || seen[m.Suffix] {
			t.Errorf("%+v", m)
		}
		if _, err := strconv.Atoi(m.Suffix); err != nil {
			t.Error(err)
		}
		seen[m.Suffix] = true
	}
}
