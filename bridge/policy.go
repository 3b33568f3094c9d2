package bridge

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"smsbridge/addressing"
)

// Policy is who may text whom. The zero value lets everybody text every phone but
// those of premium-rate services, and no short number.
type Policy struct {
	// Numbers is which phones may be texted at all.
	Numbers addressing.Rules
	// Rules decide for a handle and a phone: the first that fits. Where none fits, the
	// handle may text the phone.
	Rules []Rule
	// Conversations is how many conversations that it began a handle may have open; 0: any
	// number. One that a phone began is not counted, and an open one always goes on.
	Conversations int
	// OpenFor is for how long after its last message a conversation counts as open.
	// Default 30 days; the Book knows that time to the day.
	OpenFor time.Duration
}

// Rule allows or denies. What it does not name it does not ask for: without handles
// it is about all of them.
type Rule struct {
	Deny     bool
	Handles  []addressing.Pattern
	Networks []string
	Prefixes []string // how the phone's E.164 digits begin, without a plus
}

func (r Rule) fits(h addressing.Handle, phone addressing.MSISDN) bool {
	switch {
	case len(r.Handles) > 0 && !slices.ContainsFunc(r.Handles, func(p addressing.Pattern) bool { return p.Match(h) }),
		len(r.Networks) > 0 && !slices.Contains(r.Networks, h.Network()),
		len(r.Prefixes) > 0 && !slices.ContainsFunc(r.Prefixes, func(p string) bool { return strings.HasPrefix(phone.Digits(), p) }):
		return false
	default:
		return true
	}
}

// allows tells what the first rule that fits says.
func (p Policy) allows(h addressing.Handle, phone addressing.MSISDN) bool {
	for _, r := range p.Rules {
		if r.fits(h, phone) {
			return !r.Deny
		}
	}
	return true
}

// permit refuses what the policy forbids; the error is a *[RefusalError].
func (h *Hub) permit(handle addressing.Handle, phone addressing.MSISDN) error {
	if err := h.decided(handle, phone); err != nil {
		return err
	}
	policy := h.config().Policy
	switch err := policy.Numbers.Check(phone); {
	case errors.Is(err, addressing.ErrShort):
		return &RefusalError{
			Reason: ReasonNotPermitted,
			Text:   fmt.Sprintf("%s is a short number, which may not be texted from here. In an emergency, call. Ask the operator of the bridge if you need to text it.", phone),
		}
	case errors.Is(err, addressing.ErrPremium):
		return &RefusalError{
			Reason: ReasonNotPermitted,
			Text:   fmt.Sprintf("%s is the number of a premium-rate service, which may not be texted from here. Ask the operator of the bridge if you need to.", phone),
		}
	case err != nil:
		return &RefusalError{
			Reason: ReasonBadNumber,
			Text:   fmt.Sprintf("%s is in no range of numbers that its country has given out. Look at it again; if it is right, tell the operator of the bridge.", phone),
		}
	}
	if !policy.allows(handle, phone) {
		return &RefusalError{
			Reason: ReasonNotPermitted,
			Text:   fmt.Sprintf("You may not text %s: the rules of this bridge forbid it. Ask its operator if you need to.", phone),
		}
	}
	return nil
}

// decided refuses what an operator has decided while the bridge runs.
func (h *Hub) decided(handle addressing.Handle, phone addressing.MSISDN) error {
	text := ""
	if h.Book.Directory().Gone(handle) {
		text = fmt.Sprintf("%s is not in use on this bridge any more, since its operator has renamed or removed it. Write from your new address, or ask the operator.", handle)
	} else if b, blocked := h.Book.Directory().Blocked(handle, phone); blocked && b.Prefix == "" {
		text = "You may not text anybody: the operator of this bridge has blocked that. Ask them if you need to."
	} else if blocked {
		text = fmt.Sprintf("You may not text %s: the operator of this bridge has blocked that. Ask them if you need to.", phone)
	}
	if text == "" {
		return nil
	}
	return &RefusalError{Reason: ReasonNotPermitted, Text: text}
}
