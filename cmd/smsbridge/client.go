package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os/user"
	"strings"
	"time"

	"smsbridge/ops"
)

// opsClient are the flags of the commands that ask a running daemon.
type opsClient struct {
	Ops  string `default:"http://127.0.0.1:9090" env:"SMSBRIDGE_OPS" placeholder:"URL" help:"Where the daemon's ops listener is (ops.listen)."`
	JSON bool   `name:"json" help:"Print what the daemon answers, for programs."`
}

// answerWithin is longer than the daemon takes where it reads the records of all phones.
const answerWithin = 11 * time.Minute

// maxAnswer bounds an answer of the daemon in bytes.
const maxAnswer = 16 << 20

// get asks the daemon for path. It prints the answer where the flags ask for JSON,
// and otherwise reads it into answer and tells so.
func (c opsClient) get(ctx context.Context, std *stdio, path string, query url.Values, answer any) (read bool, err error) {
	return c.ask(ctx, std, http.MethodGet, path, query, nil, answer)
}

// ask is get for any method, with a header.
func (c opsClient) ask(ctx context.Context, std *stdio, method, path string, query url.Values, header http.Header, answer any) (read bool, err error) {
	body, err := c.send(ctx, method, path, query, header, nil, answer)
	if err != nil {
		return false, err
	}
	if c.JSON {
		_, err := std.out.Write(body)
		return false, err
	}
	return true, nil
}

// send sends a request, reads the answer into answer, and gives it as it came as well.
func (c opsClient) send(ctx context.Context, method, path string, query url.Values, header http.Header, data io.Reader, answer any) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	target := strings.TrimRight(c.Ops, "/") + path + "?" + query.Encode()
	request, err := http.NewRequestWithContext(ctx, method, target, data)
	if err != nil || request.URL.Hostname() == "" {
		return nil, fmt.Errorf("%q is not a URL such as http://127.0.0.1:9090: mend --ops or SMSBRIDGE_OPS", c.Ops)
	}
	maps.Copy(request.Header, header)
	if data != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("no daemon answers at %s: is it running, and is that its ops.listen? --ops or SMSBRIDGE_OPS says where to ask (%w)", c.Ops, cause(err))
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("the daemon at %s broke off its answer: %w", c.Ops, err)
	}
	if response.StatusCode != http.StatusOK {
		var problem ops.Problem
		if json.Unmarshal(body, &problem) != nil || problem.Detail == "" {
			return nil, fmt.Errorf("what answers at %s is no smsbridge: it says %s", c.Ops, response.Status)
		}
		return nil, &refusalError{response.StatusCode, problem.Detail}
	}
	if err := json.Unmarshal(body, answer); err != nil {
		return nil, fmt.Errorf("what answers at %s is no smsbridge, or another version of it: %w", c.Ops, err)
	}
	return body, nil
}

// refusalError is what the daemon says to a request that it refuses.
type refusalError struct {
	status int // of HTTP
	detail string
}

func (e *refusalError) Error() string { return e.detail }

// notThere tells whether the daemon says that there is no such thing.
func notThere(err error) bool {
	refused, ok := errors.AsType[*refusalError](err)
	return ok && refused.status == http.StatusNotFound
}

// change asks for a change, and says what became of its subject: what it says begins with that, or
// has it where {} is.
func (c opsClient) change(ctx context.Context, std *stdio, method, path string, query url.Values, done, before string) error {
	var answer ops.Done
	read, err := c.ask(ctx, std, method, path, query, operator(), &answer)
	if err != nil || !read {
		return err
	}
	if !answer.Changed {
		done = before
	}
	if answer.Note != "" {
		done += "\n" + answer.Note
	}
	if !strings.Contains(done, "{}") {
		done = "{} " + done
	}
	_, err = fmt.Fprintln(std.out, strings.Replace(done, "{}", answer.Subject, 1))
	return err
}

// operator says who asks for a change.
func operator() http.Header {
	who := http.Header{}
	if u, err := user.Current(); err == nil {
		who.Set(ops.OperatorHeader, u.Username)
	}
	return who
}

// cause leaves out the request that failed: the address that was looked up is in it.
func cause(err error) error {
	if request, ok := errors.AsType[*url.Error](err); ok {
		return request.Err
	}
	return err
}
