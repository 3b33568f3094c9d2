package peers

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// natsModule is the server's module, of the version in go.mod; its root is the program.
const natsModule = "github.com/nats-io/nats-server/v2"

// natsProgram builds the server once for each version and keeps it in the user's cache.
var natsProgram = sync.OnceValues(func() (string, error) {
	version, err := exec.Command("go", "list", "-m", "-f", "{{.Version}}", natsModule).Output()
	if err != nil {
		return "", fmt.Errorf("version of %s: %w", natsModule, err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	program := filepath.Join(cache, "smsbridge-peers", "nats-server-"+strings.TrimSpace(string(version)))
	if _, err := os.Stat(program); err == nil {
		return program, nil
	}
	// Under another name first: tests of several packages may do this at once.
	unfinished := fmt.Sprintf("%s.%d", program, os.Getpid())
	if said, err := exec.Command("go", "build", "-o", unfinished, natsModule).CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", natsModule, err, said)
	}
	return program, os.Rename(unfinished, program)
})

// NATSCluster is servers of their own processes with JetStream, which form a cluster.
type NATSCluster struct {
	nodes []*natsNode
}

type natsNode struct {
	t                        testing.TB
	dir                      string
	client, cluster, monitor string // host:port
	process                  *process
}

// NATS starts a cluster of n servers, 1, 3 or 5, and returns once it serves.
func NATS(t testing.TB, n int) *NATSCluster {
	t.Helper()
	program, err := natsProgram()
	if err != nil {
		t.Fatal(err)
	}
	c := &NATSCluster{}
	var routes []string
	for range n {
		node := &natsNode{t: t, dir: t.TempDir(), client: FreeAddress(t), cluster: FreeAddress(t), monitor: FreeAddress(t)}
		c.nodes = append(c.nodes, node)
		routes = append(routes, "nats://"+node.cluster)
	}
	for i, node := range c.nodes {
		config := fmt.Sprintf("server_name: n%d\nlisten: %q\nhttp: %q\njetstream { store_dir: %q, max_mem: 256MB, max_file: 64GB }\n",
			i, node.client, node.monitor, filepath.Join(node.dir, "js"))
		if n > 1 {
			config += fmt.Sprintf("cluster { name: test, listen: %q, routes: [%s] }\n", node.cluster, strings.Join(routes, ", "))
		}
		if err := os.WriteFile(node.config(), []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		node.start(program)
	}
	for i := range c.nodes {
		c.await(i)
	}
	return c
}

func (n *natsNode) config() string { return filepath.Join(n.dir, "nats.conf") }

func (n *natsNode) start(program string) {
	n.process = launch(n.t, exec.Command(program, "-c", n.config()), nil)
}

// await returns once a server says that it is healthy.
func (c *NATSCluster) await(i int) {
	node := c.nodes[i]
	node.t.Helper()
	Eventually(node.t, "a healthy NATS server", func() bool {
		answer, err := http.Get("http://" + node.monitor + "/healthz")
		if err != nil {
			return false
		}
		answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	})
}

// URL is of all servers, with commas between.
func (c *NATSCluster) URL() string {
	var all []string
	for _, n := range c.nodes {
		all = append(all, "nats://"+n.client)
	}
	return strings.Join(all, ",")
}

// Kill ends a server as kill -9 does.
func (c *NATSCluster) Kill(i int) { c.nodes[i].process.kill() }

// Start starts a server again after Kill, on the same address and files, and returns once
// it is healthy.
func (c *NATSCluster) Start(i int) {
	c.nodes[i].t.Helper()
	program, err := natsProgram()
	if err != nil {
		c.nodes[i].t.Fatal(err)
	}
	c.nodes[i].start(program)
	c.await(i)
}
