package main

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"smsbridge/addressing"
	"smsbridge/bridge"
	"smsbridge/messenger/web"
	"smsbridge/queue"
)

// history is the log as the person who has a name today sees it: with what they wrote and got
// under earlier names, and without what others did who had one of them.
type history struct {
	store *queue.Store
	names *addressing.Directory
}

// mine gives the entries that are of the person who is h today.
func (l history) mine(h addressing.Handle, all []bridge.Entry) []bridge.Entry {
	var kept []bridge.Entry
	for _, e := range all {
		if now, _ := l.names.Now(e.Handle, e.At); now == h {
			kept = append(kept, e)
		}
	}
	return kept
}

// Conversations gives the latest text of each of h's conversations, newest first.
func (l history) Conversations(ctx context.Context, h addressing.Handle) ([]bridge.Entry, error) {
	names := l.names.Names(h)
	var latest []bridge.Entry
	for _, name := range names {
		all, err := l.store.Conversations(ctx, name)
		if err != nil {
			return nil, err
		}
		for _, e := range l.mine(h, all) {
			i := slices.IndexFunc(latest, func(have bridge.Entry) bool { return have.Phone == e.Phone })
			switch {
			case i < 0:
				latest = append(latest, e)
			case e.At.After(latest[i].At):
				latest[i] = e
			}
		}
	}
	if len(names) > 1 {
		slices.SortStableFunc(latest, func(x, y bridge.Entry) int { return y.At.Compare(x.At) })
	}
	return latest, nil
}

// Messages gives the last texts between h and phone, limit of each name, and their statuses.
func (l history) Messages(ctx context.Context, h addressing.Handle, phone addressing.MSISDN, limit int) ([]bridge.Entry, error) {
	var merged []bridge.Entry
	for _, name := range l.names.Names(h) {
		all, err := l.store.Messages(ctx, name, phone, limit)
		if err != nil {
			return nil, err
		}
		if all = l.mine(h, all); len(merged) == 0 {
			merged = all
		} else if len(all) > 0 {
			merged = append(merged, all...)
			slices.SortStableFunc(merged, func(x, y bridge.Entry) int { return x.At.Compare(y.At) })
		}
	}
	return lastTexts(merged, limit), nil
}

// lastTexts leaves the last limit texts and what belongs to them.
func lastTexts(all []bridge.Entry, limit int) []bridge.Entry {
	texts, from := 0, len(all)
	for from > 0 && texts < limit {
		if from--; all[from].Kind != bridge.EntryStatus {
			texts++
		}
	}
	kept := make(map[string]bool)
	for _, e := range all[from:] {
		if e.Kind != bridge.EntryStatus {
			kept[e.ID] = true
		}
	}
	return slices.DeleteFunc(all[from:], func(e bridge.Entry) bool { return !kept[e.ID] })
}

// LogEnd is the sequence of the last entry, whosever it is.
func (l history) LogEnd(ctx context.Context) (uint64, error) { return l.store.LogEnd(ctx) }

// Follow calls fn for each entry of h's conversations; see [queue.Store.FollowAll]. It ends with
// [web.ErrRenamed] when a change of names makes other entries theirs.
func (l history) Follow(ctx context.Context, h addressing.Handle, after uint64, fn func(seq uint64, e bridge.Entry) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	names := l.names.Names(h)
	for _, name := range names {
		stop := l.names.OnMove(name, func() { cancel(web.ErrRenamed) })
		defer stop()
	}
	if !slices.Equal(names, l.names.Names(h)) { // before it was asked to tell
		return web.ErrRenamed
	}
	err := l.store.FollowAll(ctx, names, after, func(seq uint64, e bridge.Entry) error {
		if len(l.mine(h, []bridge.Entry{e})) == 0 {
			return nil
		}
		return fn(seq, e)
	})
	if errors.Is(context.Cause(ctx), web.ErrRenamed) {
		return web.ErrRenamed
	}
	return err
}

// Story is what became of a message, under the name that its sender has today.
func (l history) Story(ctx context.Context, id string) (bridge.Story, uint64, error) {
	s, rev, err := l.store.Story(ctx, id)
	if err == nil && len(s.History) > 0 {
		now, _ := l.names.Now(s.Handle, s.History[0].At)
		s.Handle = cmp.Or(now, s.Handle)
	}
	return s, rev, err
}
