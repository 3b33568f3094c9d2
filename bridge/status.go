package bridge

import "context"

// logStatus adds a status to the log of the conversation, where web users read it.
func (h *Hub) logStatus(ctx context.Context, s Story, c Change) error {
	return h.Archive.AppendLog(ctx, Entry{
		V: version, ID: s.ID, Kind: EntryStatus, Handle: s.Handle, Phone: s.Phone, Number: s.Number,
		At: c.At, State: c.State, Reason: c.Reason, Detail: c.Detail,
	})
}

// tellFinal tells the sender the final state of s: in the log, and through the
// messenger if the network has one. The id of the status is the same each time, so
// that a repeat is recognised.
func (h *Hub) tellFinal(ctx context.Context, s Story) error {
	last := s.History[len(s.History)-1]
	telling, from := s.Trace, h.now()
	if h.traced(s.Trace) {
		telling = s.Trace.Child()
	}
	if to, _ := h.Book.Directory().Now(s.Handle, s.History[0].At); h.pushes(to.Network()) {
		if to != s.Handle {
			s.ReplyTo = "" // it was a device of another address
		}
		err := h.Queue.PublishOUT(ctx, OUT{
			V: version, ID: s.ID + "-" + string(s.State), Kind: OUTStatus, Handle: to, Phone: s.Phone, Number: s.Number,
			At: last.At, Addressed: h.now(), NetworkID: s.NetworkID, ReplyTo: s.ReplyTo, State: s.State, Reason: s.Reason, Detail: s.Detail,
			Trace: telling,
		})
		if err != nil {
			return err
		}
	}
	err := h.logStatus(ctx, s, last)
	if h.traced(telling) {
		h.span(s.Trace, Span{
			Name: SpanTell, Self: telling, From: from, MessageID: s.ID, Phone: s.Phone.Masked(), Network: s.Handle.Network(), State: string(s.State), Reason: string(s.Reason), Failed: err != nil,
		})
	}
	return err
}

// tell tells the sender the final state of s, unless that was done. The story has the
// state already, so that whoever finds it untold after a crash tells the same.
func (h *Hub) tell(ctx context.Context, s Story, rev uint64) error {
	if s.Told {
		return nil
	}
	if err := h.tellFinal(ctx, s); err != nil {
		return err
	}
	if err := h.callMT(ctx, s); err != nil {
		return err
	}
	s.Told = true
	_, err := h.Journal.PutStory(ctx, s, rev, false)
	return err
}

// pushes tells whether a network is handed its messages; the users of the others
// read the log. The bridge itself, which has no network, reads nothing.
func (h *Hub) pushes(network string) bool {
	m, known := h.config().Networks[network]
	return network != "" && (m != nil || !known)
}
