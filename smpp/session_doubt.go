package smpp

// doubtLocked finds out about a peer that sends, and so passes for alive, but reads
// nothing: all that is submitted to it would end as unknown. Where r is overdue, and no
// answer to anything has come since it was begun, the peer is asked by enquire_link, and
// where that is overdue too it is deaf.
func (s *Session) doubtLocked(r *request) (deaf bool) {
	if s.ended || s.unbinding || r.answer.Request().isBind() || s.answers != r.answers {
		return false
	}
	if r.last || s.doubting {
		return r.last
	}
	frame, err := Encode(&PDU{Command: EnquireLink})
	if err != nil {
		s.cfg.Logger.Debug().Err(err).Msg("no enquire_link sent")
		return false
	}
	s.doubting = true
	s.enqueueLocked(EnquireLink, frame).last = true
	return false
}
