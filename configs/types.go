package configs

import (
	"errors"
	"fmt"
	"math"
	"net"
	"regexp"
	"strconv"
	"strings"
	"time"

	"smsbridge/addressing"
)

// A parser reads one value as it is written. Its error continues the sentence that
// the setting's path begins: "must be ..., got ...".
type parserOf[T any] func(text string) (T, error)

// read gives the setting key of s, or otherwise where it is not set or is wrong,
// which is noted.
func read[T any](s *section, key string, parse parserOf[T], otherwise T) T {
	v := s.get(key)
	if !v.given() {
		return otherwise
	}
	got, ok := parseValue(v, parse)
	if !ok {
		return otherwise
	}
	return got
}

// need is read for a setting that must be there; without says what to do where it is not.
func need[T any](s *section, key string, parse parserOf[T], without string) T {
	var zero T
	v := s.get(key)
	if !v.given() {
		v.problemf("is missing: %s", without)
		return zero
	}
	got, _ := parseValue(v, parse)
	return got
}

func parseValue[T any](v value, parse parserOf[T]) (T, bool) {
	var zero T
	text, ok := v.text()
	if !ok {
		return zero, false
	}
	got, err := parse(text)
	if err != nil {
		v.problemf("%s", strings.TrimPrefix(err.Error(), addressing.ErrInvalid.Error()+": "))
		return zero, false
	}
	return got, true
}

// shown is what was got, for an error: quoted and not too long.
func shown(text string) string {
	const most = 60
	if r := []rune(text); len(r) > most {
		text = string(r[:most]) + "..."
	}
	return strconv.Quote(text)
}

func anyText(text string) (string, error) {
	if strings.TrimSpace(text) == "" {
		return "", errors.New("is empty: give it a value, or remove the line")
	}
	return text, nil
}

func boolean(text string) (bool, error) {
	switch strings.ToLower(text) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	default:
		return false, fmt.Errorf("must be true or false, got %s", shown(text))
	}
}

func integer(low, high int) parserOf[int] {
	return func(text string) (int, error) {
		n, err := strconv.Atoi(text)
		if err != nil || n < low || n > high {
			return 0, fmt.Errorf("must be %d to %d, got %s", low, high, shown(text))
		}
		return n, nil
	}
}

// number reads a positive number that need not be whole.
func number(high float64) parserOf[float64] {
	return func(text string) (float64, error) {
		n, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(n) || n <= 0 || n > high {
			return 0, fmt.Errorf("must be more than 0 and at most %g, got %s", high, shown(text))
		}
		return n, nil
	}
}

// day is the unit that package time leaves out; here it is 24 hours.
const day = 24 * time.Hour

func duration(low, high time.Duration) parserOf[time.Duration] {
	return func(text string) (time.Duration, error) {
		d, err := time.ParseDuration(text)
		if days, found := strings.CutSuffix(text, "d"); found {
			n, dayErr := strconv.Atoi(days)
			d, err = time.Duration(n)*day, dayErr
			if n < 0 || n > int(math.MaxInt64/day) {
				err = strconv.ErrRange
			}
		}
		if _, bare := strconv.Atoi(text); bare == nil {
			return 0, fmt.Errorf("needs a unit, such as %ss, %sm or %sh", text, text, text)
		}
		if err != nil || d < low || d > high {
			return 0, fmt.Errorf("must be a duration from %s to %s, such as 90s, 10m, 48h or 7d, got %s", brief(low), brief(high), shown(text))
		}
		return d, nil
	}
}

// brief writes a duration without its zeros: 10m, not 10m0s.
func brief(d time.Duration) string {
	if d >= day && d%day == 0 {
		return fmt.Sprintf("%dd", d/day)
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}

var sizePattern = regexp.MustCompile(`^([0-9]{1,6})(KiB|MiB|GiB|TiB)$`)

func size(text string) (int64, error) {
	const least = 1 << 20
	shift := map[string]int{"KiB": 10, "MiB": 20, "GiB": 30, "TiB": 40}
	if m := sizePattern.FindStringSubmatch(text); m != nil {
		n, err := strconv.ParseInt(m[1], 10, 64)
		if n <<= shift[m[2]]; err == nil && n >= least {
			return n, nil
		}
	}
	return 0, fmt.Errorf("must be a size of at least 1MiB, such as 512MiB or 2GiB, got %s", shown(text))
}

// oneOf reads one of two or more words.
func oneOf[T ~string](words ...T) parserOf[T] {
	return func(text string) (T, error) {
		names := make([]string, len(words))
		for i, w := range words {
			if string(w) == text {
				return w, nil
			}
			names[i] = string(w)
		}
		hint := ""
		if near := nearest(text, names); near != "" {
			hint = "; did you mean " + near + "?"
		}
		last := len(names) - 1
		return "", fmt.Errorf("must be %s or %s, got %s%s", strings.Join(names[:last], ", "), names[last], shown(text), hint)
	}
}

// hostPort reads where to connect to.
func hostPort(example string) parserOf[string] {
	return func(text string) (string, error) {
		host, port, err := net.SplitHostPort(text)
		if n, portErr := strconv.ParseUint(port, 10, 16); err != nil || portErr != nil || n == 0 || host == "" || strings.ContainsAny(host, " /@") {
			return "", fmt.Errorf("must be a host and a port, such as %s, got %s", example, shown(text))
		}
		return text, nil
	}
}

// listenAddress reads where to listen. Port 0 lets the system pick one.
func listenAddress(text string) (string, error) {
	host, port, err := net.SplitHostPort(text)
	if _, portErr := strconv.ParseUint(port, 10, 16); err != nil || portErr != nil || strings.ContainsAny(host, " /@") {
		return "", fmt.Errorf("must be an address and a port, such as 127.0.0.1:8080, got %s", shown(text))
	}
	return text, nil
}

// loopback tells whether only this machine reaches a listen address.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

var namePattern = regexp.MustCompile(`^[a-z0-9_-]{1,32}$`)

// slug reads a name that goes into metrics, logs and keys.
func slug(text string) (string, error) {
	if !namePattern.MatchString(text) {
		return "", fmt.Errorf("must be 1 to 32 of a-z, 0-9, dash and underscore, got %s", shown(text))
	}
	return text, nil
}

// octets reads a C-octet string of a PDU (SMPP 3.4, 3.1): ASCII without NUL.
func octets(most int) parserOf[string] {
	return func(text string) (string, error) {
		if len(text) > most {
			return "", fmt.Errorf("must have at most %d characters, which is all that SMPP 3.4 has room for, got %d", most, len(text))
		}
		for _, r := range text {
			if r < ' ' || r > '~' {
				return "", fmt.Errorf("must be plain ASCII, got %s", shown(text))
			}
		}
		return text, nil
	}
}
