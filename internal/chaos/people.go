//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"smsbridge/internal/chaos/history"
	"smsbridge/messenger/web"
)

// names are the people; a name is all letters, so that a text can tell who wrote it.
var names = []string{"ann", "bob", "carl", "dora", "emil", "fay", "gus", "hana"}

// person writes and reads by the HTTP API, as a program of theirs would.
type person struct {
	*run
	name, token, hash string
	client            *http.Client

	instance atomic.Int64 // which of the daemons it asks

	mu   sync.Mutex
	text map[string]history.Text // by the bridge's id
	last string                  // the id of the last event
}

func newPerson(r *run, name string) *person {
	token, hash := web.NewToken()
	return &person{
		run: r, name: name, token: token, hash: hash, text: make(map[string]history.Text), last: "1",
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100}},
	}
}

// phoneOf is the n-th phone, in digits.
func phoneOf(n int) string { return fmt.Sprintf("336200%05d", n) }

// sends is how a person's network takes a text: person.write says more.
type sends func(ctx context.Context, t history.Text, text string, givesUp bool)

// writes sends one text after another of a person to a phone, until ctx ends.
func (r *run) writes(ctx context.Context, name string, phone int, send sends) {
	choice := r.cfg.rand(name, " to ", phone)
	for seq := 0; ; seq++ {
		if sleep(ctx, around(choice, r.cfg.pause)) != nil {
			return
		}
		t := history.Text{User: name, Phone: phoneOf(phone), Seq: seq}
		send(ctx, t, compose(choice, t), choice.IntN(3) == 0)
	}
}

// compose makes a text, often short, that says its name in every segment.
func compose(choice *rand.Rand, t history.Text) string {
	text := t.String()
	switch n := choice.IntN(10); {
	case n < 7:
		return text
	case n < 9: // two or three segments
		return strings.Repeat(text+" ", 150*(1+choice.IntN(2))/len(text)+5)
	default:
		return text + " \u0434\u0430" // UCS-2
	}
}

// patience is how long a person waits for one answer of the bridge.
const patience = 20 * time.Second

// write sends a text until the bridge has it. After ctx has ended nothing new is begun, but
// what was begun is brought to its end. Somebody who may give up does so when an answer is
// lost: then nobody knows whether the bridge has the text.
func (p *person) write(ctx context.Context, t history.Text, text string, givesUp bool) {
	p.record.Add(history.Event{Kind: history.Asked, Text: t})
	for {
		sent, code, err := p.post(p.ctx, t, text)
		switch {
		case err == nil && code == http.StatusAccepted:
			p.mu.Lock()
			p.text[sent.ID] = t
			p.mu.Unlock()
			p.record.Add(history.Event{Kind: history.Accepted, Text: t, ID: sent.ID})
			return
		case err == nil && code != http.StatusServiceUnavailable && code != http.StatusTooManyRequests && code != http.StatusInternalServerError:
			p.fail(fmt.Errorf("%s was refused for good: %d %s %s", t, code, sent.Reason, sent.Detail))
			return
		case err == nil:
			p.counts.refused.Add(1)
		case givesUp && ctx.Err() == nil:
			return
		}
		if sleep(p.ctx, 100*time.Millisecond) != nil {
			return
		}
	}
}

// answer is what the API says of a message, or of a refusal.
type answer struct {
	ID     string          `json:"id"`
	Status json.RawMessage `json:"status"` // a state, or the number of a refusal (RFC 9457, 3.1.3)
	Reason string          `json:"reason"`
	Detail string          `json:"detail"`
}

func (p *person) post(ctx context.Context, t history.Text, text string) (a answer, code int, err error) {
	body, err := json.Marshal(map[string]string{"to": "+" + t.Phone, "text": text})
	if err != nil {
		return a, 0, err
	}
	code, err = p.call(ctx, http.MethodPost, "/api/v1/messages", body, t.String(), &a)
	return a, code, err
}

// call makes one request and reads the answer into into.
func (p *person) call(ctx context.Context, method, path string, body []byte, key string, into any) (code int, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	request, err := p.request(ctx, method, path, body)
	if err != nil {
		return 0, err
	}
	if key != "" {
		request.Header.Set("Idempotency-Key", key)
	}
	response, err := p.client.Do(request)
	if err != nil {
		p.instance.Add(1) // as a balancer would
		return 0, err
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusServiceUnavailable {
		p.instance.Add(1)
	}
	return response.StatusCode, json.NewDecoder(response.Body).Decode(into)
}

func (p *person) request(ctx context.Context, method, path string, body []byte) (*http.Request, error) {
	daemon := p.daemons[int(p.instance.Load())%len(p.daemons)]
	request, err := http.NewRequestWithContext(ctx, method, url(&daemon.web)+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+p.token)
	request.Header.Set("Content-Type", "application/json")
	return request, nil
}

// event is a server-sent event of the API.
type event struct {
	ID        string `json:"id"`
	Direction string `json:"direction"`
	Phone     string `json:"phone"`
	Number    string `json:"number"`
	Text      string `json:"text"`
	Status    string `json:"status"`
	Reason    string `json:"reason"`
}

// reads follows what the bridge tells, from the beginning on, until ctx ends. Where the
// stream breaks it goes on after the last event, as a browser does.
func (p *person) reads(ctx context.Context) {
	for ctx.Err() == nil {
		_ = p.follow(ctx) // it broke, which is what this is about
		_ = sleep(ctx, 20*time.Millisecond)
	}
}

// silence is how long a stream may say nothing, three heartbeats, before it is held for dead.
const silence = 45 * time.Second

func (p *person) follow(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	request, err := p.request(ctx, http.MethodGet, "/api/v1/events", nil)
	if err != nil {
		return err
	}
	request.Header.Set("Last-Event-ID", p.last)
	dead := time.AfterFunc(silence, cancel)
	defer dead.Stop()
	response, err := p.client.Do(request)
	if err != nil {
		p.instance.Add(1)
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		p.instance.Add(1)
		return errors.New(response.Status)
	}
	lines := bufio.NewScanner(response.Body)
	id := ""
	for lines.Scan() {
		dead.Reset(silence)
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch name {
		case "id":
			id = value
		case "data":
			if err := p.see([]byte(value)); err != nil {
				return err
			}
			if id != "" {
				p.last = id
			}
		}
	}
	return lines.Err()
}

// see writes down what an event says.
func (p *person) see(data []byte) error {
	var e event
	if err := json.Unmarshal(data, &e); err != nil {
		return err
	}
	t, isNamed := history.ParseText(e.Text)
	switch {
	case e.ID == "": // a heartbeat
	case e.Direction == "mo":
		if !isNamed {
			p.fail(fmt.Errorf("%s saw a text from a phone that no phone wrote: %q", p.name, e.Text))
		}
		p.record.Add(history.Event{Kind: history.Seen, Text: t, By: p.name, ID: e.ID, Number: e.Number})
	case e.Direction == "mt":
		p.mu.Lock()
		p.text[e.ID] = t
		p.mu.Unlock()
	default:
		p.mu.Lock()
		t, known := p.text[e.ID]
		p.mu.Unlock()
		if !known {
			p.fail(fmt.Errorf("%s was told of a message that nobody wrote: %s", p.name, e.ID))
		}
		p.record.Add(history.Event{Kind: history.Told, Text: t, By: p.name, ID: e.ID, State: e.Status, Reason: e.Reason})
	}
	return nil
}
