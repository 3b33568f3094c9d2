package peers

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// PrometheusServer is Debian's, which scrapes and tries its rules five times a second.
type PrometheusServer struct {
	t   testing.TB
	url string
}

// Prometheus starts a server that scrapes target, host:port, as the job smsbridge, and has these rules.
// It returns once it serves.
func Prometheus(t testing.TB, target string, rules []byte) *PrometheusServer {
	t.Helper()
	program, err := exec.LookPath("prometheus")
	if err != nil {
		missing(t, "Prometheus is not installed")
	}
	dir, address := t.TempDir(), FreeAddress(t)
	config := fmt.Appendf(nil, `global: {scrape_interval: 200ms, scrape_timeout: 200ms, evaluation_interval: 200ms}
rule_files: [rules.yaml]
scrape_configs:
  - {job_name: smsbridge, static_configs: [{targets: [%q]}]}
`, target)
	for name, content := range map[string][]byte{"prometheus.yml": config, "rules.yaml": rules} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	say, ready := started([]string{"Server is ready to receive web requests"})
	launch(t, exec.Command(program, "--config.file="+filepath.Join(dir, "prometheus.yml"),
		"--enable-feature=exemplar-storage", "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+address), say).await(t, ready, program)
	return &PrometheusServer{t, "http://" + address}
}

// ask reads the answer to a request of its API.
func (p *PrometheusServer) ask(path string, answer any) {
	p.t.Helper()
	response, err := http.Get(p.url + path)
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(answer); err != nil {
		p.t.Fatal(err)
	}
}

// Traces are the labels trace_id of the exemplars of a metric, of the last hour.
func (p *PrometheusServer) Traces(metric string) map[string]bool {
	p.t.Helper()
	var answer struct {
		Data []struct {
			Exemplars []struct{ Labels map[string]string }
		}
	}
	now := time.Now()
	p.ask("/api/v1/query_exemplars?"+url.Values{
		"query": {metric}, "start": {fmt.Sprint(now.Add(-time.Hour).Unix())}, "end": {fmt.Sprint(now.Add(time.Minute).Unix())},
	}.Encode(), &answer)
	traces := make(map[string]bool)
	for _, series := range answer.Data {
		for _, e := range series.Exemplars {
			traces[e.Labels["trace_id"]] = true
		}
	}
	return traces
}

// Firing are the names of the alerts that fire.
func (p *PrometheusServer) Firing() map[string]bool {
	p.t.Helper()
	var answer struct {
		Data struct {
			Alerts []struct {
				Labels map[string]string
				State  string
			}
		}
	}
	p.ask("/api/v1/alerts", &answer)
	firing := make(map[string]bool)
	for _, a := range answer.Data.Alerts {
		if a.State == "firing" {
			firing[a.Labels["alertname"]] = true
		}
	}
	return firing
}
