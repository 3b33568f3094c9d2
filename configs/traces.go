package configs

import (
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// Traces is where the traces of messages go.
type Traces struct {
	Endpoint string // a URL of http or https
	Insecure bool   // plain text to another machine is wanted
	Headers  Secret // of each request, a line for each; see [Traces.HeaderLines]
	// Sample is the part of all messages that is traced, 0 to 1; default 1.
	Sample            float64
	Service, Instance string // names of the daemon there; empty: default
}

// HeaderLines are the headers by name.
func (t *Traces) HeaderLines() map[string]string {
	all, _ := headerLines(t.Headers.Reveal()) // it was checked when the file was read
	return all
}

func (f *file) readTraces(s *section) {
	t := &Traces{
		Endpoint: need(s, "endpoint", collectorURL, "say where the collector is, such as http://127.0.0.1:4318/v1/traces"),
		Insecure: read(s, "insecure", boolean, false),
		Sample:   read(s, "sample", share, 1),
		Service:  read(s, "service", anyText, ""),
		Instance: read(s, "instance", anyText, ""),
	}
	f.cfg.Traces = t
	if u, err := url.Parse(t.Endpoint); err == nil && u.Scheme == "http" && !loopback(net.JoinHostPort(u.Hostname(), "0")) && !t.Insecure {
		s.get("endpoint").problemf("goes to another machine in plain text: use https, or add insecure: true")
	}
	key := s.get("headers")
	if s.get("headers_file").given() {
		key = s.get("headers_file")
	}
	if key.given() {
		t.Headers = f.secret(s, "headers", "write one a line, such as Authorization: Bearer abc")
		if _, ok := headerLines(t.Headers.Reveal()); !ok {
			key.problemf("must be one header a line, such as Authorization: Bearer abc")
		}
	}
}

func collectorURL(text string) (string, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return "", fmt.Errorf("must be a URL such as http://127.0.0.1:4318/v1/traces")
	case u.User != nil || u.RawQuery != "":
		return "", fmt.Errorf("must have no name, password or query in it: give what is secret in headers_file")
	case u.Path == "" || u.Path == "/":
		return "", fmt.Errorf("must have a path, for most collectors /v1/traces, got %s", shown(text))
	}
	return text, nil
}

// share reads a part of the whole.
func share(text string) (float64, error) {
	part, err := strconv.ParseFloat(text, 64)
	if err != nil || !(part >= 0 && part <= 1) {
		return 0, fmt.Errorf("must be a part from 0 to 1, such as 0.1 for one in ten, got %s", shown(text))
	}
	return part, nil
}

// headerPattern is a header: a token, and a value without control characters (RFC 9110, 5.1 and 5.5).
var headerPattern = regexp.MustCompile("^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\\x00-\\x08\\x0a-\\x1f\\x7f]+)$")

func headerLines(text string) (map[string]string, bool) {
	all := make(map[string]string)
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		m := headerPattern.FindStringSubmatch(line)
		if m == nil {
			return nil, false
		}
		all[m[1]] = m[2]
	}
	return all, true
}
