package xmpp

import (
	"mellium.im/xmpp/stanza"

	"smsbridge/bridge"
)

// trouble is a condition and whether trying again helps (RFC 6120, 8.3.2 and 8.3.3).
type trouble struct {
	typ       stanza.ErrorType
	condition stanza.Condition
}

// troubles is how each reason is told in XMPP.
var troubles = map[bridge.Reason]trouble{
	// Refusals.
	bridge.ReasonBadNumber:    {stanza.Cancel, stanza.ItemNotFound},
	bridge.ReasonEmpty:        {stanza.Modify, stanza.NotAcceptable},
	bridge.ReasonTooLong:      {stanza.Modify, stanza.NotAcceptable},
	bridge.ReasonBadText:      {stanza.Modify, stanza.NotAcceptable},
	bridge.ReasonNotPermitted: {stanza.Auth, stanza.Forbidden},
	bridge.ReasonTooManyOpen:  {stanza.Cancel, stanza.PolicyViolation},
	bridge.ReasonNoNumber:     {stanza.Cancel, stanza.NotAllowed},
	bridge.ReasonStopped:      {stanza.Cancel, stanza.NotAllowed},
	bridge.ReasonIDReused:     {stanza.Cancel, stanza.Conflict},
	bridge.ReasonQueueFull:    {stanza.Wait, stanza.ResourceConstraint},
	bridge.ReasonUnavailable:  {stanza.Wait, stanza.InternalServerError},
	// Ends of accepted messages.
	bridge.ReasonRejected:      {stanza.Cancel, stanza.ServiceUnavailable},
	bridge.ReasonUndeliverable: {stanza.Wait, stanza.RecipientUnavailable},
	bridge.ReasonExpired:       {stanza.Wait, stanza.RemoteServerTimeout},
	bridge.ReasonUncertain:     {stanza.Cancel, stanza.UndefinedCondition},
	bridge.ReasonUnroutable:    {stanza.Cancel, stanza.RemoteServerNotFound},
	bridge.ReasonUnreadable:    {stanza.Cancel, stanza.NotAcceptable},
	bridge.ReasonInternal:      {stanza.Wait, stanza.InternalServerError},
}

// reasonFailure is the stanza error for a reason, with plain words.
func reasonFailure(reason bridge.Reason, text string) *failure {
	t, known := troubles[reason]
	if !known {
		t = trouble{stanza.Cancel, stanza.UndefinedCondition}
	}
	return newFailure(t.typ, t.condition, text)
}
