package bridge

import (
	"cmp"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// retryAfter is the whole retry schedule of a message that an SMSC refuses for now:
// after the first refusal 5 s, and so on; the last step repeats until the validity
// ends. Throttling is not on it: it pauses the link and costs no attempt.
var retryAfter = []time.Duration{
	5 * time.Second, 15 * time.Second, time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour,
}

// step is what to do next with a message.
type step uint8

const (
	stepSent  step = iota // all segments were accepted
	stepAgain             // submit again at once; the carrier makes it wait
	stepLater             // submit again after a delay
	stepEnd               // a final state
)

// decision is a step and why.
type decision struct {
	step   step
	after  time.Duration // of stepLater
	state  State         // of stepEnd
	reason Reason
	detail string
}

// verdict decides about a message from the result of a submit, the number of
// attempts that were refused for now before, and the operator's policy for unknown
// outcomes.
func verdict(res Result, attempts int, resendUnknown bool) decision {
	switch res.Outcome {
	case OutcomeSent:
		return decision{step: stepSent}
	case OutcomeNotWritten, OutcomeThrottled:
		return decision{step: stepAgain, detail: res.Detail}
	case OutcomeTemporary:
		return later(attempts, full(res.Detail))
	case OutcomeUnknown:
		return unknownVerdict(attempts, resendUnknown)
	default:
		return decision{step: stepEnd, state: Failed, reason: cmp.Or(res.Reason, ReasonRejected), detail: full(res.Detail)}
	}
}

// unknownVerdict decides about a message that was submitted and not answered.
func unknownVerdict(attempts int, resend bool) decision {
	if resend {
		return later(attempts, "The operator did not answer, so it is sent again and the phone may get it twice.")
	}
	return decision{
		step: stepEnd, state: Unknown, reason: ReasonUncertain,
		detail: "The operator did not answer, so nobody can say whether the phone gets it. It is not sent again by itself; send it again if it matters.",
	}
}

func later(attempts int, detail string) decision {
	after := retryAfter[min(attempts, len(retryAfter)-1)]
	return decision{step: stepLater, after: after, detail: fmt.Sprintf("%s Trying again in %s.", detail, inWords(after))}
}

// inWords tells a wait to a person, in whole seconds, minutes or hours.
func inWords(d time.Duration) string {
	n, unit := int(d/time.Second), "second"
	switch {
	case d >= time.Hour:
		n, unit = int(d/time.Hour), "hour"
	case d >= time.Minute:
		n, unit = int(d/time.Minute), "minute"
	}
	if n == 1 {
		return "1 " + unit
	}
	return fmt.Sprintf("%d %ss", n, unit)
}

// full makes a sentence of a text: a capital at its beginning and a full stop at its end.
func full(s string) string {
	if s == "" {
		return s
	}
	first, size := utf8.DecodeRuneInString(s)
	if unicode.IsLower(first) { // not what is no UTF-8, which stays as it is
		s = string(unicode.ToUpper(first)) + s[size:]
	}
	return strings.TrimSuffix(s, ".") + "."
}
