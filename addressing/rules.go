package addressing

import (
	"fmt"
	"slices"

	"github.com/nyaruka/phonenumbers"
)

// Rules is which phones an operator lets people text, beyond that [ParseMSISDN] can
// read their numbers. The zero value lets them text all but premium-rate numbers.
type Rules struct {
	// Valid refuses numbers of ranges that their numbering plan has not given out, as
	// far as this program knows: plans grow, and it knows them as of its making.
	Valid bool
	// Premium allows numbers of premium-rate services, where each text may cost a lot.
	Premium bool
	// Short are the short numbers that may be texted, emergency numbers among them; no others may.
	Short []MSISDN
}

// Errors of [Rules.Check].
var (
	// ErrNotInPlan: the number is in no range that its numbering plan has given out.
	ErrNotInPlan = fmt.Errorf("%w: the number is in no range of its numbering plan", ErrInvalid)
	// ErrPremium: it is a premium-rate number.
	ErrPremium = fmt.Errorf("%w: the number is of a premium-rate service", ErrInvalid)
	// ErrShort: it is a short number that is not among those that may be texted.
	ErrShort = fmt.Errorf("%w: the short number may not be texted", ErrInvalid)
)

// Check tells whether m may be texted: the error is nil, [ErrNotInPlan], [ErrPremium] or [ErrShort].
func (r Rules) Check(m MSISDN) error {
	if _, _, short := m.ShortNumber(); short {
		if slices.Contains(r.Short, m) {
			return nil
		}
		return ErrShort
	}
	if r.Premium && !r.Valid {
		return nil
	}
	n, ok := fromE164(m.digits)
	switch {
	case !ok:
		return ErrNotInPlan
	case !r.Premium && phonenumbers.GetNumberType(n) == phonenumbers.PREMIUM_RATE:
		return ErrPremium
	case r.Valid && !phonenumbers.IsValidNumber(n):
		return ErrNotInPlan
	default:
		return nil
	}
}

// Valid tells whether m is in a range that its numbering plan has given out.
func (m MSISDN) Valid() bool { return !m.IsZero() && validE164(m.digits) }
