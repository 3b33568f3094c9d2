package ops

import (
	"context"
	"net/http"
	"slices"
	"time"

	"smsbridge/bridge"
)

// Control is what an operator sees of links and routes, and does with them.
type Control struct {
	Links      func() []LinkState
	LinkCounts func() []LinkCounts
	Routes     func() []RouteState
	// Messages serves /admin/v1/messages. Default: not served.
	Messages Messages
	// Purge gives up the messages to phones that wait and fit, or with dry only counts them; left are
	// those among them that an SMSC has or may have. Default: not served.
	Purge func(ctx context.Context, what PurgeQuery, dry bool) (purged, left int, err error)
	// Erase erases what is kept of a person, or with dry only counts it. Default: not served.
	Erase func(ctx context.Context, who EraseQuery, dry bool) (Erased, error)
	// Holds and Rebind change them; both or none. Default: nothing can be changed.
	Holds Holds
	// Rebind has a link unbind in good order and bind anew, and waits for nothing; false where there
	// is no such link.
	Rebind func(link string) bool
}

// RouteState is how one route is.
type RouteState struct {
	Name     string // whom it fits: +33, all, operator:20801, +33,web
	Links    []string
	Waiting  int       // messages in the queue, those being submitted included
	OldestAt time.Time // when the oldest of them was stored; zero where nothing waits
}

// LinkRow is one link in the body of /admin/v1/links.
type LinkRow struct {
	Name    string    `json:"name"`
	Account string    `json:"account"`
	Bind    string    `json:"bind"`   // transceiver, transmitter or receiver
	Status  string    `json:"status"` // one of the Link constants
	Since   time.Time `json:"since"`
	RetryAt time.Time `json:"retry_at,omitzero"` // when a link that is down is tried again
	Window  int       `json:"window"`            // requests that may be under way
	InUse   int       `json:"in_use"`            // requests that are
	// Rate is to how many segments a second its account is held now; 0: no limit.
	Rate      float64                   `json:"rate"`
	Binds     uint64                    `json:"binds"`
	LastError string                    `json:"last_error,omitempty"` // why it was last down; kept while bound
	Submits   map[bridge.Outcome]uint64 `json:"submits"`              // messages since the start of the daemon, by how their submit ended
	Segments  uint64                    `json:"segments"`             // that the SMSC took
	MORefused uint64                    `json:"mo_refused"`           // short messages that could not be stored
	Held
}

// RouteRow is one route in the body of /admin/v1/links.
type RouteRow struct {
	Name     string    `json:"name"`
	Links    []string  `json:"links"`   // that may carry its messages, in order
	Waiting  int       `json:"waiting"` // messages in the queue, those being submitted included
	OldestAt time.Time `json:"oldest_at,omitzero"`
	Held
}

// LinkList is the body of /admin/v1/links.
type LinkList struct {
	Links  []LinkRow  `json:"links"`
	Routes []RouteRow `json:"routes"`
}

func (s *Server) linkRoutes(mux *router) {
	if s.cfg.Control == nil {
		return
	}
	mux.HandleFunc("GET /admin/v1/links", s.listLinks)
}

func (s *Server) listLinks(w http.ResponseWriter, _ *http.Request) {
	c := s.cfg.Control
	list := LinkList{Links: []LinkRow{}, Routes: []RouteRow{}}
	counts, holds := c.LinkCounts(), s.holds()
	for _, l := range c.Links() {
		row := LinkRow{
			Name: l.Name, Account: l.Account, Bind: l.Bind, Status: l.Status, Since: l.Since, RetryAt: l.RetryAt,
			Window: l.Window, InUse: l.InUse, Rate: l.Rate, Binds: l.Binds, LastError: l.LastError,
			Held: held(holds, bridge.HoldLink, l.Name),
		}
		if i := slices.IndexFunc(counts, func(n LinkCounts) bool { return n.Name == l.Name }); i >= 0 {
			row.Submits, row.Segments, row.MORefused = counts[i].Submits, counts[i].Segments, counts[i].MORefused
		}
		list.Links = append(list.Links, row)
	}
	for _, r := range c.Routes() {
		list.Routes = append(list.Routes, RouteRow{
			Name: r.Name, Links: append([]string{}, r.Links...), Waiting: r.Waiting, OldestAt: r.OldestAt, Held: held(holds, bridge.HoldRoute, r.Name),
		})
	}
	s.reply(w, http.StatusOK, list)
}
