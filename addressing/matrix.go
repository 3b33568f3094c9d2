package addressing

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// maxMatrix is the longest Matrix user id in bytes, with its sigil and its server
// (Matrix, appendices, 4.2.1 User Identifiers).
const maxMatrix = 255

// canonicalMatrix checks a Matrix user id. There is one spelling of each: local parts
// and server names are case-sensitive (Matrix, appendices, 4.1 and 4.2.1). Local parts
// of today have few characters; historical ones, which are still in use, have all of
// U+0021 to U+007E but the colon. Beyond these they are non-compliant, and homeservers
// do not show them to clients.
func canonicalMatrix(id string) (string, error) {
	rest, sigil := strings.CutPrefix(id, "@")
	local, server, found := strings.Cut(rest, ":")
	switch {
	case !sigil || !found || local == "" || server == "":
		return "", fmt.Errorf("%w: %q is not a Matrix id: write it like @ann:corp.example", ErrInvalid, id)
	case len(id) > maxMatrix:
		return "", fmt.Errorf("%w: the Matrix id is longer than %d bytes", ErrInvalid, maxMatrix)
	}
	for _, r := range local {
		if r < '!' || r > '~' {
			return "", fmt.Errorf("%w: the Matrix id %q has the character %q, which none has", ErrInvalid, id, r)
		}
	}
	if !matrixServer(server) {
		return "", fmt.Errorf("%w: %q is not a Matrix id: %q is no server's name, with or without a port", ErrInvalid, id, server)
	}
	return id, nil
}

// matrixServer tells whether s is a server name (Matrix, appendices, 4.1): a name, an IPv4
// address or an IPv6 address in brackets, and maybe a port.
func matrixServer(s string) bool {
	host, port, found := s, "", false
	if at := strings.LastIndexByte(s, ':'); at >= 0 && !strings.HasSuffix(s, "]") {
		host, port, found = s[:at], s[at+1:], true
	}
	if found {
		if _, err := strconv.ParseUint(port, 10, 16); err != nil || !allDigits(port) {
			return false
		}
	}
	if inner, ok := strings.CutPrefix(host, "["); ok {
		inner, ok = strings.CutSuffix(inner, "]")
		a, err := netip.ParseAddr(inner)
		return ok && err == nil && a.Is6() && a.Zone() == ""
	}
	for i := range len(host) {
		switch c := host[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '.':
		default:
			return false
		}
	}
	return host != ""
}
