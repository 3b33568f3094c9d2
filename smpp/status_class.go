package smpp

import (
	"fmt"
	"strconv"
	"strings"

	"smsbridge/bridge"
)

// Class is what an answer to submit_sm asks us to do.
type Class uint8

// The classes of statuses.
const (
	// ClassPermanent: it will never be taken. What no table names is of this class.
	ClassPermanent Class = iota
	// ClassOK: it was taken.
	ClassOK
	// ClassTemporary: the same submit may be taken later.
	ClassTemporary
	// ClassThrottle: the whole link must pause, then submit the same again first.
	ClassThrottle
	// ClassLink: the SMSC does not take the link for bound: it must bind again, and the
	// same submit may be taken later.
	ClassLink
)

// classNames are how an operator of the bridge writes the classes.
var classNames = map[Class]string{
	ClassPermanent: "permanent", ClassOK: "ok", ClassTemporary: "temporary", ClassThrottle: "throttle", ClassLink: "link",
}

func (c Class) String() string { return classNames[c] }

// ParseClass reads permanent, temporary, throttle or link.
func ParseClass(text string) (Class, error) {
	for c, name := range classNames {
		if name == text && c != ClassOK {
			return c, nil
		}
	}
	return 0, fmt.Errorf("must be permanent, temporary, throttle or link, got %q", text)
}

// StatusRule is what an account means by a status, where it differs from the default or
// has a code of its own.
type StatusRule struct {
	Class Class
	// Name is how its operator calls the code; empty means the specification's name.
	Name string
	// Words tell the sender in plain words; empty means ours.
	Words string
}

// statusClasses are the defaults, by what SMSCs commonly mean. They differ, so that
// LinkConfig.Statuses overrides them by account.
//
// ESME_RINVCMDLEN and ESME_RINVCMDID come by generic_nack, for a PDU that was not understood
// (SMPP 3.4, 4.3). The nack has the sequence_number of our submit, so its header was read
// where it stood: the stream is whole. A broken one would be answered with a null or a wrong
// number, and ends the submit as unknown. So ESME_RINVCMDLEN is about this message, which
// the SMSC will find as long next time: permanent. But submit_sm is the same command in every
// message, and every SMSC knows it: where it does not, it takes us for bound otherwise
// than we are, and no message is to blame.
var statusClasses = map[Status]Class{
	StatusOK:              ClassOK,
	StatusThrottled:       ClassThrottle,
	StatusMsgQFul:         ClassThrottle,
	StatusSysErr:          ClassTemporary,
	StatusSubmitFail:      ClassTemporary,
	StatusRxTAppn:         ClassTemporary,
	StatusQueryFail:       ClassTemporary,
	StatusDeliveryFailure: ClassTemporary,
	StatusUnknownErr:      ClassTemporary,
	StatusInvCmdLen:       ClassPermanent,
	StatusInvCmdID:        ClassLink,
	StatusInvBndSts:       ClassLink,
	StatusAlyBnd:          ClassLink,
}

// statusWords say to a person what a status means.
var statusWords = map[Status]string{
	StatusThrottled:       "the operator asks us to send more slowly",
	StatusMsgQFul:         "the operator's queue is full",
	StatusSysErr:          "the operator has a technical problem",
	StatusSubmitFail:      "the operator could not take the message",
	StatusRxTAppn:         "the operator cannot take the message right now",
	StatusQueryFail:       "the operator has a technical problem",
	StatusDeliveryFailure: "the operator could not deliver the message",
	StatusUnknownErr:      "the operator has an unknown problem",
	StatusInvCmdLen:       "the operator does not take a message of this length",
	StatusInvCmdID:        "the connection to the operator is not ready",
	StatusInvBndSts:       "the connection to the operator is not ready",
	StatusAlyBnd:          "the connection to the operator is not ready",
	StatusInvSrcAdr:       "the operator refused our sender number",
	StatusInvSrcTON:       "the operator refused our sender number",
	StatusInvSrcNPI:       "the operator refused our sender number",
	StatusInvSrcAddrSub:   "the operator refused our sender number",
	StatusInvDstAdr:       "the operator refused the number",
	StatusInvDstTON:       "the operator refused the number",
	StatusInvDstNPI:       "the operator refused the number",
	StatusInvDstAddrSub:   "the operator refused the number",
	StatusInvNumDests:     "the operator refused the number",
	StatusInvDestFlag:     "the operator refused the number",
	StatusInvMsgLen:       "the operator finds the message too long",
	StatusInvExpiry:       "the operator refused the validity of the message",
	StatusInvSched:        "the operator refused the time of the message",
	StatusInvSerTyp:       "our account may not use this service type",
	StatusInvSysTyp:       "our account may not use this system type",
	StatusInvDCS:          "the operator cannot carry the characters of this text",
	StatusRxPAppn:         "the operator refused the message for good",
	StatusRxRAppn:         "the operator rejected the message",
	StatusSerTypUnauth:    "our account may not send this",
	StatusSerTypDenied:    "our account may not send this",
	StatusSerTypUnavail:   "the operator does not offer this service now",
	StatusProhibited:      "our account may not send this",
}

// ClassOf gives the class of a status: that of overrides where it has one, else the
// default.
func ClassOf(s Status, overrides map[Status]StatusRule) Class { return ruleOf(s, overrides).Class }

// ruleOf gives all that is known of a status, with the name and the words of overrides
// before ours. Name is empty for a code that has none.
func ruleOf(s Status, overrides map[Status]StatusRule) StatusRule {
	rule, ok := overrides[s]
	if !ok {
		rule.Class = statusClasses[s]
	}
	if rule.Name == "" {
		rule.Name = statusNames[s]
	}
	if rule.Words == "" {
		rule.Words = statusWords[s]
	}
	return rule
}

// outcome is how a submit that was answered with a status of class c ended.
func (c Class) outcome() bridge.Outcome {
	switch c {
	case ClassOK:
		return bridge.OutcomeSent
	case ClassThrottle:
		return bridge.OutcomeThrottled
	case ClassTemporary, ClassLink:
		return bridge.OutcomeTemporary
	default:
		return bridge.OutcomePermanent
	}
}

// otherWords are for a status of which nothing more is known.
var otherWords = map[Class]string{
	ClassPermanent: "the operator refused the message",
	ClassTemporary: "the operator refused the message for now",
	ClassThrottle:  "the operator asks us to send more slowly",
	ClassLink:      "the connection to the operator is not ready",
}

// detail says in plain words what the operator answered, with the code for whoever
// has to look it up.
func (r StatusRule) detail(s Status) string {
	words := r.Words
	if words == "" {
		words = otherWords[r.Class]
	}
	if r.Name != "" {
		return words + " (" + r.Name + ", " + s.hex() + ")"
	}
	return words + " with code " + s.hex()
}

// ParseStatus reads a command_status by its name, as ESME_RTHROTTLED, or by its number,
// as 0x58 or 88.
func ParseStatus(text string) (Status, error) {
	for s, name := range statusNames {
		if strings.EqualFold(name, text) {
			return s, nil
		}
	}
	n, err := strconv.ParseUint(text, 0, 32)
	if err != nil {
		return 0, fmt.Errorf("must be a command_status by name or number, such as ESME_RTHROTTLED or 0x58, got %q", text)
	}
	return Status(n), nil
}
