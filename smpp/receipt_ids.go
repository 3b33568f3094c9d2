package smpp

import (
	"math/big"
	"strings"
)

// maxID bounds what is converted: no message_id is longer (SMPP 3.4, 5.2.23).
const maxID = 65

// CandidateIDs lists the forms under which an SMSC's message id may have been recorded
// when submit_sm was answered, given the ids that its receipt names (in the text and in
// receipted_message_id). Most likely first: each id as written, then trimmed, in lower
// and upper case, without leading zeros or with more of them, and last as a number in
// the other base. Numbers are padded to the widths of 32 and 64 bits. An id of digits only may be either base;
// numbers have any size. The order is the same for the same ids, and nothing is listed
// twice. Empty ids are left out.
//
// A number that is read in the other base could be another message's id where an SMSC
// counts from 1, so these forms come last: take the first that is known.
func CandidateIDs(ids ...string) []string {
	var c candidates
	for _, id := range ids {
		c.add(id)
		c.add(trimID(id))
	}
	for _, id := range ids {
		id = trimID(id)
		c.add(strings.ToLower(id))
		c.add(strings.ToUpper(id))
		if short := strings.TrimLeft(id, "0"); isDecimal(id) {
			c.addPadded(short, 10, 20)
		} else if isHex(id) {
			c.addPadded(strings.ToLower(short), 8, 16)
			c.addPadded(strings.ToUpper(short), 8, 16)
		}
	}
	for _, id := range ids {
		c.addConverted(trimID(id))
	}
	return c.list
}

type candidates struct {
	list []string
	seen map[string]bool
}

func (c *candidates) add(id string) {
	if trimID(id) == "" || c.seen[id] {
		return
	}
	if c.seen == nil {
		c.seen = make(map[string]bool)
	}
	c.seen[id] = true
	c.list = append(c.list, id)
}

func (c *candidates) addConverted(id string) {
	if len(id) > maxID {
		return
	}
	if n, ok := number(id, 10); ok {
		hex := n.Text(16)
		c.addPadded(hex, 8, 16)
		c.addPadded(strings.ToUpper(hex), 8, 16)
	}
	if n, ok := number(id, 16); ok {
		c.addPadded(n.Text(10), 10, 20)
	}
}

// addPadded adds s, and s with leading zeros up to the first of widths that has room.
func (c *candidates) addPadded(s string, widths ...int) {
	c.add(s)
	for _, w := range widths {
		if len(s) <= w {
			c.add(strings.Repeat("0", w-len(s)) + s)
			return
		}
	}
}

// number reads digits only: big.Int would take signs and underscores too.
func number(id string, base int) (*big.Int, bool) {
	if base == 10 && !isDecimal(id) || !isHex(id) {
		return nil, false
	}
	return new(big.Int).SetString(id, base)
}

func trimID(id string) string { return strings.Trim(id, " \t\r\n\x00") }

func isDecimal(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

func isHex(s string) bool {
	return s != "" && strings.Trim(s, "0123456789abcdefABCDEF") == ""
}
