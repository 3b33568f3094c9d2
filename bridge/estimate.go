package bridge

import (
	"context"
	"fmt"
	"unicode/utf8"

	"smsbridge/addressing"
)

// Estimate tells what a text would take, before it is sent. An empty text takes
// nothing; one of more segments than are allowed is no error here. The error is a
// [*RefusalError] with [ReasonBadText] or [ReasonTooLong], for a text that could not be sent
// however many segments were allowed.
func (h *Hub) Estimate(_ context.Context, text string) (Estimate, error) {
	switch {
	case text == "":
		return Estimate{Encoding: "gsm7"}, nil
	case len(text) > maxTextBytes:
		return Estimate{}, h.refuseLong(fmt.Sprintf("%d kB", len(text)/1000))
	case !utf8.ValidString(text):
		return Estimate{}, &RefusalError{Reason: ReasonBadText, Text: "The text is not valid UTF-8, so its characters cannot be told. Send it as UTF-8."}
	}
	e, err := h.Carrier.Estimate(text)
	if err != nil {
		return Estimate{}, &RefusalError{Reason: ReasonBadText, Text: addressing.Explain(err)}
	}
	return e, nil
}
