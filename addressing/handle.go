package addressing

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
	"mellium.im/xmpp/jid"
)

// The networks that a Handle can be of.
const (
	NetworkXMPP   = "xmpp"
	NetworkWeb    = "web"
	NetworkMatrix = "matrix"
)

// maxHandle is the longest id of a Handle in bytes: a bare JID's two parts may have
// 1023 bytes each (RFC 7622, 3.1).
const maxHandle = 2047

// Handle is a messenger address with its network, such as xmpp:ann@corp.example or
// web:ann. It is comparable; the zero value is nobody.
type Handle struct {
	network, id string
}

// ParseHandle reads "network:id" and makes the id canonical by the rules of its
// network: a bare JID (RFC 7622), a Matrix id, or the lower-case name of a web
// user. The error wraps [ErrInvalid].
func ParseHandle(s string) (Handle, error) {
	network, id, found := strings.Cut(strings.TrimSpace(s), ":")
	if !found {
		return Handle{}, fmt.Errorf("%w: the handle %q has no network: write it like xmpp:ann@corp.example or web:ann", ErrInvalid, s)
	}
	return NewHandle(network, id)
}

// MustParseHandle is ParseHandle for constants. It panics on a bad handle.
func MustParseHandle(s string) Handle {
	h, err := ParseHandle(s)
	if err != nil {
		panic(err)
	}
	return h
}

// NewHandle makes the canonical Handle of id on network. The error wraps [ErrInvalid].
func NewHandle(network, id string) (Handle, error) {
	if len(id) > maxHandle {
		return Handle{}, fmt.Errorf("%w: the handle is longer than %d bytes", ErrInvalid, maxHandle)
	}
	var canonical string
	var err error
	switch network {
	case NetworkXMPP:
		canonical, err = canonicalJID(id)
	case NetworkWeb:
		canonical, err = canonicalName(id)
	case NetworkMatrix:
		canonical, err = canonicalMatrix(id)
	default:
		return Handle{}, fmt.Errorf("%w: %q is not a network: use xmpp, web or matrix", ErrInvalid, network)
	}
	if err != nil {
		return Handle{}, err
	}
	return Handle{network: network, id: canonical}, nil
}

func canonicalJID(id string) (string, error) {
	j, err := jid.Parse(id)
	if err != nil || j.Localpart() == "" {
		return "", fmt.Errorf("%w: %q is not a JID of a person: write it like ann@corp.example", ErrInvalid, id)
	}
	return j.Bare().String(), nil
}

func canonicalName(id string) (string, error) {
	name := strings.ToLower(norm.NFC.String(id))
	if name == "" || !utf8.ValidString(name) {
		return "", fmt.Errorf("%w: the name of a web user is empty or not UTF-8", ErrInvalid)
	}
	for _, r := range name {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) && !strings.ContainsRune("._-", r) {
			return "", fmt.Errorf("%w: the name %q has the character %q; use letters, digits, dot, dash and underscore", ErrInvalid, id, r)
		}
	}
	return name, nil
}

func canonicalMatrix(id string) (string, error) {
	local, server, found := strings.Cut(strings.TrimPrefix(id, "@"), ":")
	if !strings.HasPrefix(id, "@") || !found || local == "" || server == "" || strings.ContainsFunc(id, unicode.IsSpace) {
		return "", fmt.Errorf("%w: %q is not a Matrix id: write it like @ann:corp.example", ErrInvalid, id)
	}
	return "@" + local + ":" + strings.ToLower(server), nil
}

// Network is xmpp, web or matrix.
func (h Handle) Network() string { return h.network }

// ID is the address within the network.
func (h Handle) ID() string { return h.id }

// IsZero tells whether h is nobody.
func (h Handle) IsZero() bool { return h.network == "" }

// String is the canonical form, which ParseHandle reads back.
func (h Handle) String() string {
	if h.IsZero() {
		return ""
	}
	return h.network + ":" + h.id
}

// MarshalText gives the canonical form.
func (h Handle) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText reads the canonical form.
func (h *Handle) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*h = Handle{}
		return nil
	}
	parsed, err := ParseHandle(string(b))
	if err != nil {
		return err
	}
	*h = parsed
	return nil
}
