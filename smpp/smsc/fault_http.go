package smsc

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"
)

// faultJSON is a Fault in the HTTP API.
type faultJSON struct {
	Name   string `json:"name"`
	Text   string `json:"text"`
	On     bool   `json:"on"`
	Counts string `json:"counts"`
	paramsJSON
	Struck int `json:"struck"`
}

type paramsJSON struct {
	Count   int     `json:"count"`
	Seconds float64 `json:"seconds"`
	After   int     `json:"after"`
}

func (s *Server) getFaults(w http.ResponseWriter, _ *http.Request) {
	list := []faultJSON{}
	for _, f := range s.Faults() {
		list = append(list, faultJSON{
			Name: f.Name, Text: f.Text, On: f.On, Counts: f.Counts, Struck: f.Struck,
			paramsJSON: paramsJSON{Count: f.Params.Count, Seconds: f.Params.For.Seconds(), After: f.Params.After},
		})
	}
	s.answer(w, http.StatusOK, list)
}

// putFault switches a fault on. The body is optional.
func (s *Server) putFault(w http.ResponseWriter, r *http.Request) {
	var p paramsJSON
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequest))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&p); err != nil && !errors.Is(err, io.EOF) {
		s.problem(w, http.StatusBadRequest, `The body cannot be read; send nothing, or {"count": 3, "seconds": 5, "after": 10}, or some of it: `+err.Error())
		return
	}
	err := s.SwitchOn(r.PathValue("name"), Params{Count: p.Count, For: time.Duration(p.Seconds * float64(time.Second)), After: p.After})
	s.switchedFault(w, err)
}

func (s *Server) deleteFault(w http.ResponseWriter, r *http.Request) {
	s.switchedFault(w, s.SwitchOff(r.PathValue("name")))
}

func (s *Server) deleteFaults(w http.ResponseWriter, _ *http.Request) {
	for _, f := range s.Faults() {
		if err := s.SwitchOff(f.Name); err != nil {
			s.switchedFault(w, err)
			return
		}
	}
	s.switchedFault(w, nil)
}

func (s *Server) switchedFault(w http.ResponseWriter, err error) {
	if err != nil {
		s.problem(w, http.StatusUnprocessableEntity, err.Error())
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
