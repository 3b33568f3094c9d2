//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"smsbridge/internal/port"
)

// node is one server of a NATS cluster.
type node struct {
	process
	binary, config string
	log            *os.File
	ports          nodePorts
}

// nodePorts are the ports of a node: for clients, for the other nodes, for health. They are its
// own while it is dead, too.
type nodePorts struct{ client, cluster, health port.Reserved }

func (p nodePorts) release() {
	for _, one := range []port.Reserved{p.client, p.cluster, p.health} {
		one.Release()
	}
}

// newNodes makes n nodes of one cluster, which serve at host. They are not started.
func newNodes(ctx context.Context, dir, host string, n int) ([]*node, error) {
	binary, err := build(ctx, dir, "nats-server", "github.com/nats-io/nats-server/v2")
	if err != nil {
		return nil, err
	}
	all := make([]nodePorts, n)
	var routes []string
	for i := range all {
		for _, addr := range []*port.Reserved{&all[i].client, &all[i].cluster, &all[i].health} {
			if *addr, err = port.Reserve(host); err != nil {
				return nil, err
			}
		}
		routes = append(routes, "nats-route://"+all[i].cluster.Addr)
	}
	var nodes []*node
	for i, ports := range all {
		home := filepath.Join(dir, fmt.Sprint("node-", i))
		if err := os.MkdirAll(home, 0o700); err != nil {
			return nil, err
		}
		config := filepath.Join(home, "nats.conf")
		text := fmt.Sprintf("server_name: node%d\nlisten: %q\nhttp: %q\njetstream {store_dir: %q}\ncluster {name: chaos, listen: %q, routes: [%s]}\n",
			i, ports.client.Addr, ports.health.Addr, home, ports.cluster.Addr, strings.Join(routes, ", "))
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			return nil, err
		}
		log, err := os.Create(filepath.Join(home, "log"))
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, &node{binary: binary, config: config, log: log, ports: ports})
	}
	return nodes, nil
}

// start runs the node. It does not wait until it serves.
func (n *node) start() error {
	_, err := n.launch(exec.Command(n.binary, "--config", n.config), func(stderr io.Reader) { //nolint:noctx // it is killed on purpose, and at the end
		_, _ = io.Copy(n.log, stderr) // for people
	})
	return err
}

// ready waits until the node holds itself for healthy: it has caught up with the others.
func (n *node) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	for {
		if err := n.healthy(ctx); err == nil {
			return nil
		} else if sleep(ctx, 50*time.Millisecond) != nil {
			return fmt.Errorf("the NATS server at %s does not become ready: %w", n.ports.client.Addr, err)
		}
	}
}

func (n *node) healthy(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+n.ports.health.Addr+"/healthz", nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return errors.New(response.Status)
	}
	return nil
}

// startNodes runs the cluster, and returns once it can be used.
func (r *run) startNodes() (err error) {
	if r.nodes, err = newNodes(r.ctx, r.dir, r.host, r.cfg.nodes); err != nil {
		return err
	}
	for _, n := range r.nodes {
		r.undo = append(r.undo, func() error { n.kill(); n.ports.release(); return n.log.Close() })
		if err := n.start(); err != nil {
			return err
		}
	}
	for _, n := range r.nodes {
		if err := n.ready(r.ctx); err != nil {
			return err
		}
	}
	return nil
}

// natsURL names all nodes.
func (r *run) natsURL() string {
	var all []string
	for _, n := range r.nodes {
		all = append(all, "nats://"+n.ports.client.Addr)
	}
	return strings.Join(all, ",")
}
