package smpp

import (
	"container/list"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"smsbridge/addressing"
)

// PortabilityConfig is a look-up of the operator that a phone belongs to, which a prefix
// does not tell where numbers are ported.
type PortabilityConfig struct {
	// URL is asked by GET, with {msisdn} replaced by the digits of the phone, without a
	// plus. It must answer with a JSON object; 404 means that it does not know.
	URL string
	// Authorization is sent as the header of that name; empty sends none.
	Authorization string
	// Field is the member of the answer that names the operator: text or a number;
	// empty means "operator". A dot leads into an object in it.
	Field string
	// Timeout bounds a look-up, for which the message waits; 0 means 2 s.
	Timeout time.Duration
	// TTL is for how long an answer is kept; 0 means 24 h.
	TTL time.Duration
	// MaxEntries is how many answers are kept, the longest unused is forgotten first;
	// 0 means 100,000, some 20 MB.
	MaxEntries int
	Logger     zerolog.Logger
}

// restAfterFailure is how long nothing is asked after a look-up that failed, so that a
// service which is down does not hold up each message.
const restAfterFailure = 10 * time.Second

// maxAnswer is how much of an answer is read, in octets.
const maxAnswer = 64 << 10

// msisdnMark is where the phone goes in the URL.
const msisdnMark = "{msisdn}"

// Portability looks operators up, and remembers them. Its methods may be called
// concurrently.
type Portability struct {
	cfg    PortabilityConfig
	client *http.Client

	mu       sync.Mutex
	known    map[addressing.MSISDN]*list.Element
	recent   list.List // of *operatorOf, the most recently used first
	restTill time.Time
	failing  bool
}

// operatorOf is what was learned of a phone.
type operatorOf struct {
	phone    addressing.MSISDN
	operator string // empty: the service does not know
	until    time.Time
}

// NewPortability makes a look-up. The error says which setting is wrong.
func NewPortability(cfg PortabilityConfig) (*Portability, error) {
	u, err := url.Parse(strings.ReplaceAll(cfg.URL, msisdnMark, "0"))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || !strings.Contains(cfg.URL, msisdnMark) {
		return nil, errors.New("smpp: the URL of the number portability look-up must be like https://hlr.example.net/{msisdn}")
	}
	if cfg.Field == "" {
		cfg.Field = "operator"
	}
	orDefault(&cfg.Timeout, 2*time.Second)
	orDefault(&cfg.TTL, 24*time.Hour)
	orDefault(&cfg.MaxEntries, 100_000)
	return &Portability{
		cfg: cfg, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16, IdleConnTimeout: time.Minute}},
		known: make(map[addressing.MSISDN]*list.Element),
	}, nil
}

// Operator gives the operator of a phone, from memory or by the service; empty where
// that does not know, or fails, for which the caller needs another way. It blocks for
// Timeout at most, and not at all for a while after a failure.
func (p *Portability) Operator(ctx context.Context, phone addressing.MSISDN) string {
	operator, known := p.remembered(phone)
	if known {
		return operator
	}
	ctx, cancel := context.WithTimeout(ctx, p.cfg.Timeout)
	defer cancel()
	operator, err := p.ask(ctx, phone)
	if err != nil && errors.Is(ctx.Err(), context.Canceled) {
		return "" // the daemon stops: nothing is wrong with the service
	}
	p.learn(phone, operator, err)
	return operator
}

// Close drops the idle connections to the service.
func (p *Portability) Close() error {
	p.client.CloseIdleConnections()
	return nil
}

// remembered tells also where nothing is to be asked: known then, and empty.
func (p *Portability) remembered(phone addressing.MSISDN) (operator string, known bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if e, ok := p.known[phone]; ok {
		o := e.Value.(*operatorOf)
		if now.Before(o.until) || now.Before(p.restTill) { // an old answer is better than none
			p.recent.MoveToFront(e)
			return o.operator, true
		}
	}
	return "", now.Before(p.restTill)
}

func (p *Portability) ask(ctx context.Context, phone addressing.MSISDN) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.ReplaceAll(p.cfg.URL, msisdnMark, phone.Digits()), nil)
	if err != nil {
		return "", errors.New("the URL cannot be used")
	}
	req.Header.Set("Accept", "application/json")
	if p.cfg.Authorization != "" {
		req.Header.Set("Authorization", p.cfg.Authorization)
	}
	resp, err := p.client.Do(req)
	if err != nil {
		if inner, ok := errors.AsType[*url.Error](err); ok {
			err = inner.Err // the URL has the phone in it, and maybe a key
		}
		return "", err
	}
	defer func() { _ = resp.Body.Close() }() // it was read, or is of no use
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	switch {
	case resp.StatusCode == http.StatusNotFound:
		return "", nil
	case resp.StatusCode != http.StatusOK:
		return "", fmt.Errorf("it answered %s", resp.Status)
	case err != nil:
		return "", err
	}
	return member(body, p.cfg.Field)
}

// member finds the text or number at path in a JSON object; empty where there is none.
func member(body []byte, path string) (string, error) {
	var v any
	decoder := json.NewDecoder(strings.NewReader(string(body)))
	decoder.UseNumber() // 20801 and 0208 are names, not quantities
	if err := decoder.Decode(&v); err != nil {
		return "", errors.New("it answered no JSON")
	}
	for key := range strings.SplitSeq(path, ".") {
		object, ok := v.(map[string]any)
		if !ok {
			return "", fmt.Errorf("its answer has no object where %s should be", path)
		}
		v = object[key]
	}
	switch v := v.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case json.Number:
		return v.String(), nil
	default:
		return "", fmt.Errorf("%s in its answer is neither a text nor a number", path)
	}
}

// learn keeps an answer, or rests after a failure. The first failure, and the end of
// them, are logged.
func (p *Portability) learn(phone addressing.MSISDN, operator string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if err != nil {
		p.restTill = now.Add(restAfterFailure)
		if !p.failing {
			p.failing = true
			p.cfg.Logger.Warn().Err(err).Str("msisdn", phone.Masked()).Dur("again_in", restAfterFailure).
				Msg("the number portability look-up fails; messages go by the routes of their prefixes")
		}
		return
	}
	if p.failing {
		p.failing = false
		p.cfg.Logger.Info().Msg("the number portability look-up works again")
	}
	if e, ok := p.known[phone]; ok {
		p.recent.Remove(e)
	}
	p.known[phone] = p.recent.PushFront(&operatorOf{phone: phone, operator: operator, until: now.Add(p.cfg.TTL)})
	for len(p.known) > p.cfg.MaxEntries {
		oldest := p.recent.Remove(p.recent.Back()).(*operatorOf)
		delete(p.known, oldest.phone)
	}
}
