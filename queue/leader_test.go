package queue_test

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"smsbridge/addressing"
	"smsbridge/internal/peers"
	"smsbridge/queue"
)

// island is a cluster of three whose last server is joined to the others by cables.
type island struct {
	servers []*server.Server
	cables  []*proxy
}

func newIsland(t *testing.T) *island {
	t.Helper()
	c := &island{}
	var direct, cabled []string
	for range 3 {
		direct = append(direct, peers.FreeAddress(t)) // each must know the others' first
		cable := newProxy(t, direct[len(direct)-1])
		c.cables, cabled = append(c.cables, cable), append(cabled, cable.Addr().String())
	}
	// The first two find each other; from then on a server hears of others by the cables alone.
	for i, routes := range [][]string{{direct[1], cabled[2]}, {direct[0], cabled[2]}, {cabled[0], cabled[1]}} {
		_, port, _ := net.SplitHostPort(direct[i])
		number, _ := strconv.Atoi(port)
		s, err := server.NewServer(&server.Options{
			ServerName: fmt.Sprint("n", i), Host: "127.0.0.1", Port: -1, NoLog: true, NoSigs: true,
			JetStream: true, StoreDir: t.TempDir(), JetStreamMaxStore: 1 << 40,
			Cluster: server.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: number, PoolSize: -1, Advertise: cabled[i]},
			Routes:  server.RoutesFromStr("nats://" + routes[0] + ",nats://" + routes[1]),
		})
		if err != nil {
			t.Fatal(err)
		}
		s.Start()
		t.Cleanup(func() { stopServer(s) })
		c.servers = append(c.servers, s)
		until(t, "routes to those before", func() bool { return s.NumRoutes() >= i })
	}
	until(t, "a cluster that is ready", func() bool {
		return slices.ContainsFunc(c.servers, func(s *server.Server) bool {
			all, err := s.Jsz(nil)
			offline := func(p *server.PeerInfo) bool { return p.Offline || !p.Current }
			// Only its leader knows the others.
			return err == nil && all.Meta != nil && len(all.Meta.Replicas) == 2 && !slices.ContainsFunc(all.Meta.Replicas, offline)
		})
	})
	return c
}

func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("there is not: %s", what)
		}
	}
}

// cut separates the last server from the others, which lead the stream.
func (c *island) cut(t *testing.T, stream string) {
	t.Helper()
	nc, js := connect(t, c.servers[0].ClientURL())
	until(t, "a leader of "+stream+" among the first two", func() bool {
		s, err := js.Stream(t.Context(), stream)
		if err != nil || s.CachedInfo().Cluster == nil {
			return false
		}
		of := s.CachedInfo().Cluster
		if of.Leader == "n2" {
			_, _ = nc.Request("$JS.API.STREAM.LEADER.STEPDOWN."+stream, nil, time.Second)
		}
		return slices.ContainsFunc(of.Replicas, func(p *jetstream.PeerInfo) bool { return p.Name == "n2" && p.Current })
	})
	for _, cable := range c.cables {
		cable.freeze()
	}
}

func (c *island) join() {
	for _, cable := range c.cables {
		cable.thaw()
	}
}

func at(s *server.Server) func(*queue.Config) {
	return func(c *queue.Config) { c.Dir, c.URL, c.Replicas = "", s.ClientURL(), 3 }
}

// TestNoRecordIsOld: an instance whose server is cut off from the others does not know that
// another instance gave the phone a second conversation, and must not say whose a text is.
func TestNoRecordIsOld(t *testing.T) {
	cluster := newIsland(t)
	near, far := open(t, "", at(cluster.servers[0])), open(t, "", at(cluster.servers[2]))
	defer cluster.join()
	number := addressing.MustParseNumber("+33700000001")
	record := addressing.Record{V: 2, Entries: []addressing.Entry{{Number: number, Handle: ann}}}
	if err := near.SaveRecord(t.Context(), phone(1), record, 0); err != nil {
		t.Fatal(err)
	}
	first, rev, err := far.LoadRecord(t.Context(), phone(1))
	if err != nil || len(first.Entries) != 1 {
		t.Fatalf("before: %+v, %v", first, err)
	}
	cluster.cut(t, "KV_phones")
	record.Entries = append(record.Entries, addressing.Entry{Number: number, Handle: addressing.MustParseHandle("web:bob")})
	if err := near.SaveRecord(t.Context(), phone(1), record, rev); err != nil {
		t.Fatal(err)
	}
	// Each request for a record may go to another server: many are made.
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	var asking sync.WaitGroup
	for range 20 {
		asking.Go(func() {
			// It does not answer, or says that it cannot: both will do.
			if old, _, err := far.LoadRecord(ctx, phone(1)); err == nil {
				t.Errorf("the server that is cut off said %+v", old)
			}
		})
	}
	asking.Wait()
	cluster.join()
	if now, _, err := far.LoadRecord(t.Context(), phone(1)); err != nil || len(now.Entries) != 2 {
		t.Fatalf("after: %+v, %v", now, err)
	}
	if _, _, err := far.LoadRecord(t.Context(), phone(2)); err != nil {
		t.Fatalf("a phone without a record: %v", err)
	}
}
