package queue

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"

	"smsbridge/addressing"
	"smsbridge/bridge"
)

// maxToken is the longest token of a subject; a longer one becomes a digest. The server
// takes about 4 kB for a whole line of its protocol.
const maxToken = 240

// token writes s as one token of a subject: escaped, or "==" and a digest where that
// would be too long.
func token(s string) string {
	t := escape(s)
	if len(t) > maxToken {
		sum := sha256.Sum256([]byte(s))
		return "==" + hex.EncodeToString(sum[:])
	}
	return t
}

// escape keeps letters, digits, dash and underscore and writes every other byte as =XX, so
// that the nats command line tool shows readable subjects and keys. The empty text is
// "=".
func escape(s string) string {
	if s == "" {
		return "="
	}
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; plain(c) {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "=%02X", c)
		}
	}
	return b.String()
}

func plain(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_'
}

// unescape reads what escape wrote; false for anything else, a digest included.
func unescape(t string) (string, bool) {
	if t == "=" {
		return "", true
	}
	var b strings.Builder
	for i := 0; i < len(t); i++ {
		if t[i] != '=' {
			b.WriteByte(t[i])
			continue
		}
		if i+2 >= len(t) {
			return "", false
		}
		c, err := strconv.ParseUint(t[i+1:i+3], 16, 8)
		if err != nil {
			return "", false
		}
		b.WriteByte(byte(c))
		i += 2
	}
	return b.String(), escape(b.String()) == t
}

// defaultRoute is the only route for now.
const defaultRoute = "default"

// laneOf spreads phones over n lanes, so that all of one phone is in one.
func laneOf(digits string, n int) string {
	h := fnv.New32a()
	h.Write([]byte(digits))
	return strconv.Itoa(int(h.Sum32() % uint32(n)))
}

func mtSubject(m *bridge.MT, lanes int) string {
	return "mt." + defaultRoute + "." + laneOf(m.Phone.Digits(), lanes)
}

func moSubject(m *bridge.MO, lanes int) string {
	return "mo." + token(m.Account) + "." + laneOf(m.Lane(), lanes)
}

func outSubject(m *bridge.OUT, lanes int) string {
	return "out." + token(m.Handle.Network()) + "." + laneOf(m.Phone.Digits(), lanes)
}

// storySubjects are those of all stories.
const storySubjects = "sent.msg.*"

func storySubject(id string) string { return "sent.msg." + token(id) }

func refSubject(account, smscID string) string {
	return "sent.id." + token(account) + "." + token(smscID)
}

// deadSubject is of one letter, so that it is found by its id.
func deadSubject(stage, id string) string {
	return "dead." + token(strings.ToLower(stage)) + "." + token(id)
}

// Texts and statuses of a conversation have subjects of their own, so that the latest
// text is one look-up however many statuses came after it.
const (
	logTexts    = "text"
	logStatuses = "status"
)

func logSubject(e *bridge.Entry) string {
	kind := logTexts
	if e.Kind == bridge.EntryStatus {
		kind = logStatuses
	}
	return conversationSubject(e.Handle, e.Phone) + "." + kind
}

func handleSubject(h addressing.Handle) string {
	return "log." + token(h.Network()) + "." + token(h.ID())
}

func conversationSubject(h addressing.Handle, phone addressing.MSISDN) string {
	return handleSubject(h) + "." + token(phone.Digits())
}
