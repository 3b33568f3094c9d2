package smsc

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"smsbridge/addressing"
	"smsbridge/bridge"
	"smsbridge/smpp"
)

// ErrMessage is wrapped by the errors of [Server.Send] that say what is wrong with the
// message itself.
var ErrMessage = errors.New("the message cannot be sent")

// Send writes a text from a phone to a number of a client, long or short, and returns
// it as pending. It goes out as one deliver_sm or several, in order, once a client is
// bound that receives for that number; it is tried again until the client takes it. The
// error wraps [ErrMessage] or [ErrBusy]. It may be called
// concurrently; messages of one phone leave in the order of the calls.
func (s *Server) Send(phone addressing.MSISDN, to, text string) (Message, error) {
	if phone.IsZero() {
		return Message{}, fmt.Errorf("%w: it has no phone", ErrMessage)
	}
	destination, err := answerAddress(to)
	if err != nil {
		return Message{}, fmt.Errorf("%w: %w", ErrMessage, err)
	}
	if strings.TrimSpace(text) == "" {
		return Message{}, fmt.Errorf("%w: the text is empty", ErrMessage)
	}
	m := Message{
		ID: ulid.Make().String(), Phone: phone, Direction: Sent, From: phone.String(), To: shownAddress(destination), Text: text,
		At: time.Now().UTC(), State: Pending,
	}
	segments, err := smpp.Split(text, smpp.SplitOptions{Ref: smpp.RefOf(m.ID)})
	if err != nil {
		return Message{}, fmt.Errorf("%w: %w", ErrMessage, err)
	}
	m.Segments, m.Encoding = len(segments), encodingName(segments[0].DataCoding)
	s.sending.Lock() // so that the phone and its lane have one order
	defer s.sending.Unlock()
	if err := s.outbox.claim(len(segments)); err != nil {
		return Message{}, err
	}
	s.phones.note(m)
	s.outbox.add(sendLane(phone), s.deliveries(m, destination, segments)...)
	s.touch()
	return m, nil
}

func sendLane(phone addressing.MSISDN) string { return "phone " + phone.Digits() }

// deliveries makes the deliver_sm of a message. The last of them settles its state.
func (s *Server) deliveries(m Message, destination bridge.Address, segments []smpp.Segment) []*item {
	refused := false // touched by the lane's one worker only
	settle := func() {
		state := Accepted
		if refused {
			state = Refused
		}
		s.phones.setState(m.Phone, m.ID, state)
		s.touch()
	}
	items := make([]*item, len(segments))
	for i, segment := range segments {
		items[i] = &item{
			to: destination.Addr,
			short: smpp.Short{
				Source:      bridge.Address{TON: 1, NPI: 1, Addr: m.Phone.Digits()},
				Destination: destination,
				ESMClass:    segment.ESMClass,
				DataCoding:  segment.DataCoding,
				Body:        segment.Body,
			},
			done: func(taken bool) {
				refused = refused || !taken
				if i == len(segments)-1 {
					settle()
				}
			},
		}
	}
	return items
}
