package xmpp

import (
	"net/url"
	"strings"

	"github.com/oklog/ulid/v2"
)

// ref is what a NetworkID says: the id of the stanza that statuses name, whether its
// sender asked for a receipt (XEP-0184, 5.3: none may be sent otherwise), and what
// makes it unique where the id alone does not. The hub takes two requests with one
// NetworkID for one message.
type ref struct {
	id      string
	receipt bool
	unique  string
}

// minUniqueID is the length from which an id is taken for unique for ever. Some
// clients count, "purple1a2b3c", and begin again with each session; a shorter id
// therefore never makes a message the repeat of another.
const minUniqueID = 16

// newRef makes the ref of a stanza. originID is its XEP-0359 origin-id or empty.
func newRef(id, originID string, receipt bool) ref {
	r := ref{id: id, receipt: receipt}
	switch {
	case originID != "" && originID != id:
		r.unique = originID
	case originID == "" && len(id) < minUniqueID:
		r.unique = ulid.Make().String()
	}
	return r
}

// String is the NetworkID: "r" or "n", what is unique, the stanza's id.
func (r ref) String() string {
	flag := "n"
	if r.receipt {
		flag = "r"
	}
	return flag + ":" + url.QueryEscape(r.unique) + ":" + r.id
}

// parseRef reads a NetworkID back.
func parseRef(s string) ref {
	flag, rest, _ := strings.Cut(s, ":")
	unique, id, found := strings.Cut(rest, ":")
	if !found {
		return ref{}
	}
	unique, _ = url.QueryUnescape(unique)
	return ref{id: id, receipt: flag == "r", unique: unique}
}
