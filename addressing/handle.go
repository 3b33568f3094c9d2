package addressing

import (
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/text/secure/precis"
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
// network: a bare JID (RFC 7622), a Matrix id as it stands, or the name of a web
// user (RFC 8265, UsernameCaseMapped). The error wraps [ErrInvalid].
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

// maxPasses bounds how often an id is made canonical until that changes nothing:
// mapping and normalising may each undo the other (RFC 8264, 7). What has not come to
// rest by then is refused, because its second name would be another person's.
const maxPasses = 4

func canonicalJID(id string) (string, error) {
	for range maxPasses {
		j, err := jid.Parse(id)
		if err != nil || j.Localpart() == "" {
			break
		}
		canonical := j.Bare().String()
		if canonical == id {
			return canonical, nil
		}
		id = canonical
	}
	return "", fmt.Errorf("%w: %q is not a JID of a person: write it like ann@corp.example", ErrInvalid, id)
}

// canonicalName makes the name of a web user canonical by the profile that JIDs use
// (RFC 8265, 3.3): lower case, full-width forms narrow, NFC. Look-alikes of other scripts
// are other names, and other signs than dot, dash and underscore are in none.
func canonicalName(id string) (string, error) {
	if id == "" {
		return "", fmt.Errorf("%w: the name of a web user is empty", ErrInvalid)
	}
	name := id
	for range maxPasses {
		next, err := precis.UsernameCaseMapped.String(name)
		if err != nil {
			return "", fmt.Errorf("%w: %q cannot be a name: use letters, digits, dot, dash and underscore", ErrInvalid, id)
		}
		if next == name {
			return name, nameCharacters(name)
		}
		name = next
	}
	return "", fmt.Errorf("%w: %q cannot be a name: it has no form that stays", ErrInvalid, id)
}

func nameCharacters(name string) error {
	for _, r := range name {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) && !strings.ContainsRune("._-", r) {
			return fmt.Errorf("%w: the name %q has the character %q; use letters, digits, dot, dash and underscore", ErrInvalid, name, r)
		}
	}
	return nil
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
