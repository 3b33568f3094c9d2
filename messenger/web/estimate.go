package web

import (
	"net/http"

	"smsbridge/bridge"
)

// toEstimate is the body of POST /estimate.
type toEstimate struct {
	Text string `json:"text"`
}

// estimate is the answer to it.
type estimate struct {
	bridge.Estimate
	Costly []string `json:"costly"` // always there, for clients that do not check
}

func (s *Server) postEstimate(w http.ResponseWriter, r *http.Request) error {
	var in toEstimate
	if err := readBody(w, r, &in); err != nil {
		return err
	}
	e, err := s.cfg.Hub.Estimate(r.Context(), in.Text)
	if err != nil {
		return err
	}
	costly := e.Costly
	if costly == nil {
		costly = []string{}
	}
	return answer(w, http.StatusOK, estimate{e, costly})
}
