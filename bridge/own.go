package bridge

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"

	"smsbridge/addressing"
)

// This file ties a handle to its person's own phone. It is a talk with that phone's address,
// which every messenger has: the person writes /mine, the phone gets a code, the person writes
// /mine and the code. What the phone then writes to a pool or shared Number over which nobody
// has written to it is its person's.

const (
	ownCommand = "/mine"
	ownOff     = "off"
	// codeFor is how long a code holds, and codeTries how many wrong ones end it: of a million
	// codes five are tried, three times a day.
	codeFor   = 10 * time.Minute
	codeTries = 5
	// maxCodes bounds the codes that a phone gets in a day, and maxCodesOf those that a handle
	// has sent: nobody is to be bothered with them.
	maxCodes   = 3
	maxCodesOf = 10
)

// code is what a phone was sent, and a handle has to say.
type code struct {
	V     int       `json:"v"`
	Code  string    `json:"code"`
	By    string    `json:"by"` // the message that asked for it
	At    time.Time `json:"at"`
	Tries int       `json:"tries,omitempty"` // wrong ones
}

func codeKey(m MT) string { return "code " + MessageID(m.Handle, m.Phone.String()) }

// ownWord is what stands behind /mine; ok where the text is that command.
func ownWord(text string) (word string, ok bool) {
	words := strings.Fields(strings.ToLower(text))
	if len(words) == 0 || len(words) > 2 || words[0] != ownCommand {
		return "", false
	}
	return strings.Join(words[1:], ""), true
}

// own does what a person asks for with /mine. done tells that the message is dealt with; else
// it goes to the phone, with the code that it then has on the wire.
func (h *Hub) own(ctx context.Context, m *MT) (s Story, done bool, err error) {
	switch word, ok := ownWord(m.Text); {
	case !ok:
		return Story{}, false, nil
	case word == "":
		return Story{}, false, h.sendCode(ctx, m)
	case word == ownOff:
		changed, err := h.Book.Untie(ctx, m.Phone, m.Handle)
		if err != nil {
			return Story{}, true, refuseStore(err)
		}
		said := fmt.Sprintf("[%s was not tied to you.]", m.Phone)
		if changed {
			said = fmt.Sprintf("[%s is not tied to you any more.]", m.Phone)
		}
		s, err = h.answerOwn(ctx, *m, said)
		return s, true, err
	default:
		s, err = h.checkCode(ctx, *m, word)
		return s, true, err
	}
}

// sendCode puts a code on the wire in place of the text.
func (h *Hub) sendCode(ctx context.Context, m *MT) error {
	for range maxBegunConflicts {
		k, rev, err := h.loadCode(ctx, *m)
		if err != nil {
			return refuseStore(err)
		}
		if k.By != m.ID { // a repeat sends the same
			if err := h.allowCode(ctx, *m); err != nil {
				return err
			}
			n, err := rand.Int(rand.Reader, big.NewInt(1_000_000))
			if err != nil {
				return refuseStore(err)
			}
			k = code{V: version, Code: fmt.Sprintf("%06d", n), By: m.ID, At: h.now()}
			if err = h.saveCode(ctx, *m, k, rev); errors.Is(err, ErrConflict) {
				continue
			} else if err != nil {
				return refuseStore(err)
			}
		}
		m.Wire = fmt.Sprintf("%s is your code. If you want %s to have this phone, write %s %s there within %d minutes; else do nothing.",
			k.Code, m.Handle, ownCommand, k.Code, codeFor/time.Minute)
		if refusal := h.checkText(m.Wire); refusal != nil {
			return refusal
		}
		return nil
	}
	return refuseStore(ErrConflict)
}

// allowCode counts codes, and refuses more than may be sent.
func (h *Hub) allowCode(ctx context.Context, m MT) error {
	err := h.count(ctx, "codes "+m.Phone.String(), m.ID, maxCodes)
	if err == nil {
		err = h.count(ctx, "codes of "+MessageID(m.Handle, ""), m.ID, maxCodesOf)
	}
	if errors.Is(err, errEnough) {
		return &RefusalError{Reason: ReasonNotPermitted, Text: fmt.Sprintf("No code was sent: %s has had enough of them for a day, or you have. Try again tomorrow.", m.Phone)}
	}
	if err != nil {
		return refuseStore(err)
	}
	return nil
}

// checkCode ties the phone to the handle if word is the code that it was sent.
func (h *Hub) checkCode(ctx context.Context, m MT, word string) (Story, error) {
	for range maxBegunConflicts {
		k, rev, err := h.loadCode(ctx, m)
		switch {
		case err != nil:
			return Story{}, refuseStore(err)
		case rev == 0 || h.now().Sub(k.At) >= codeFor || k.Tries >= codeTries:
			return Story{}, refuseCode(fmt.Sprintf("There is no code for %s that still holds. Write %s to get one.", m.Phone, ownCommand))
		}
		if subtle.ConstantTimeCompare([]byte(word), []byte(k.Code)) == 1 {
			return h.tied(ctx, m)
		}
		k.Tries++
		if err = h.saveCode(ctx, m, k, rev); errors.Is(err, ErrConflict) {
			continue
		} else if err != nil {
			return Story{}, refuseStore(err)
		}
		return Story{}, refuseCode(fmt.Sprintf("That is not the code that %s was sent. You may try %d times more.", m.Phone, codeTries-k.Tries))
	}
	return Story{}, refuseStore(ErrConflict)
}

func refuseCode(text string) error {
	return &RefusalError{Reason: ReasonNotPermitted, Text: text}
}

// tied ties the phone, tells whoever had it, and ends the code last: after a crash the same
// message does the same again.
func (h *Hub) tied(ctx context.Context, m MT) (Story, error) {
	before, err := h.Book.Tie(ctx, m.Phone, m.Handle)
	if err != nil {
		return Story{}, refuseStore(err)
	}
	if !before.IsZero() && before != m.Handle {
		was := addressing.Conversation{Handle: before, Phone: m.Phone, Number: m.Number}
		if err := h.hand(ctx, MessageID(before, m.ID+" tied"), m.AcceptedAt, was, "[This phone is tied to somebody else now.]"); err != nil {
			return Story{}, refuseStore(err)
		}
	}
	s, err := h.answerOwn(ctx, m, fmt.Sprintf("[%s is yours: what it writes to the bridge first comes to you. %s %s undoes that.]", m.Phone, ownCommand, ownOff))
	if err != nil {
		return Story{}, err
	}
	_, rev, err := h.loadCode(ctx, m)
	if err == nil && rev > 0 {
		err = h.Parts.DeletePart(ctx, codeKey(m), rev)
	}
	if err != nil && !errors.Is(err, ErrConflict) {
		h.log.Warn().Err(err).Str("message_id", m.ID).Msg("a code that was used is not ended; it ends by itself")
	}
	return s, nil
}

// answerOwn ends a message that was for the bridge and not for the phone.
func (h *Hub) answerOwn(ctx context.Context, m MT, said string) (Story, error) {
	ctx = context.WithoutCancel(ctx)
	c := addressing.Conversation{Handle: m.Handle, Phone: m.Phone} // no Number: none was needed
	s := newStory(m)
	s.State = Delivered
	s.History = append(s.History, Change{State: Delivered, At: h.now(), Detail: "The bridge has it; nothing was sent to the phone."})
	err := h.logMT(ctx, m)
	if err == nil {
		err = h.hand(ctx, MessageID(m.Handle, m.ID+" own"), h.now(), c, said)
	}
	if err == nil {
		err = h.tellFinal(ctx, s)
	}
	if err == nil {
		s.Told = true
		_, err = h.Journal.PutStory(ctx, s, 0, true)
	}
	if err != nil && !errors.Is(err, ErrConflict) {
		return Story{}, refuseStore(err)
	}
	return s, nil
}

func (h *Hub) loadCode(ctx context.Context, m MT) (k code, rev uint64, err error) {
	value, rev, err := h.Parts.LoadPart(ctx, codeKey(m))
	if errors.Is(err, ErrNotFound) {
		return code{}, 0, nil
	}
	if err == nil {
		err = json.Unmarshal(value, &k)
	}
	return k, rev, err
}

func (h *Hub) saveCode(ctx context.Context, m MT, k code, rev uint64) error {
	value, err := json.Marshal(k)
	if err == nil {
		_, err = h.Parts.SavePart(ctx, codeKey(m), value, rev)
	}
	return err
}
