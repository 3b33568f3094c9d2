package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxBody is the most bytes in a request. It is far above the longest text, so that
// one which is merely too long is told so in SMS and not in bytes.
const maxBody = 512 << 10

// readBody reads the JSON object of a request into v. A browser form cannot send
// application/json, which keeps other sites' forms out.
func readBody(w http.ResponseWriter, r *http.Request, v any) error {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return problem(reasonMediaType, "The request's Content-Type must be application/json.")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return problem(reasonBodyTooLarge, fmt.Sprintf("The request is larger than %d kB, and no text may be that long. Shorten it or send it in parts.", maxBody>>10))
	case err != nil:
		return problem(reasonMalformed, "The request broke off before its end. Send it again.")
	case !utf8.Valid(body):
		return problem(reasonMalformed, "The request is not UTF-8, as JSON must be (RFC 8259, 8.1).")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return problem(reasonMalformed, "The request's JSON cannot be used: "+explain(err)+".")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return problem(reasonMalformed, "The request has something after its JSON object.")
	}
	return nil
}

// explain says what is wrong with JSON without the words of encoding/json.
func explain(err error) string {
	var syntax *json.SyntaxError
	var wrongType *json.UnmarshalTypeError
	switch {
	case errors.Is(err, io.EOF):
		return "it is empty"
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "it ends too early"
	case errors.As(err, &syntax):
		return fmt.Sprintf("%s at byte %d", syntax.Error(), syntax.Offset)
	case errors.As(err, &wrongType):
		kind, number, _ := strings.Cut(wrongType.Value, " ") // "number 1e99": out of range
		if number != "" {
			return fmt.Sprintf("%q cannot be %s", wrongType.Field, number)
		}
		if wrongType.Field == "" {
			return "it must be an object, and is of the type " + kind
		}
		return fmt.Sprintf("%q cannot be of the type %s", wrongType.Field, kind)
	default:
		return strings.TrimPrefix(err.Error(), "json: ") // an unknown field, by name
	}
}

// limitOf reads the query's limit.
func limitOf(r *http.Request, otherwise, most int) (int, error) {
	text := r.URL.Query().Get("limit")
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		return 0, problem(reasonMalformed, fmt.Sprintf("limit must be 1 to %d.", most))
	}
	return n, nil
}
