package ops_test

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"smsbridge/ops"
)

// described is what the code says of its metrics: the labels by the name.
func described(t *testing.T) map[string]string {
	t.Helper()
	descs := make(chan *prometheus.Desc)
	go func() {
		defer close(descs)
		ops.NewRegistry("test", ops.Sources{
			Calls: func() ops.CallStats { return ops.CallStats{} }, Traces: func() ops.TraceStats { return ops.TraceStats{} },
			Census: ops.NewCensus(nil, zerolog.Nop()),
		}).Describe(descs)
	}()
	found := make(map[string]string)
	form := regexp.MustCompile(`fqName: "(smsbridge_\w+)", help: .*, constLabels: \{(.*)\}, variableLabels: \{(.*)\}\}`)
	for d := range descs {
		if m := form.FindStringSubmatch(d.String()); m != nil {
			var labels []string
			for constant := range strings.SplitSeq(m[2], ",") {
				if name, _, is := strings.Cut(constant, "="); is {
					labels = append(labels, name)
				}
			}
			if m[3] != "" {
				labels = append(labels, strings.Split(m[3], ",")...)
			}
			slices.Sort(labels)
			found[m[1]] = strings.Join(labels, ", ")
		}
	}
	return found
}

// TestMetricsAreDocumented: docs/metrics.md has each metric with its labels, and no other.
func TestMetricsAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := make(map[string]string)
	for _, row := range regexp.MustCompile("(?m)^\\| `(smsbridge_\\w+)` \\| (?:gauge|counter|histogram) \\|([^|]*)\\|").FindAllStringSubmatch(string(page), -1) {
		labels := strings.Split(strings.TrimSpace(row[2]), ", ")
		slices.Sort(labels)
		documented[row[1]] = strings.Join(labels, ", ")
	}
	if diff := cmp.Diff(described(t), documented); diff != "" {
		t.Errorf("-code +docs/metrics.md:\n%s", diff)
	}
}

// TestAlertsUseWhatThereIs: no alert and no panel of the board asks for a metric that does not exist.
func TestAlertsUseWhatThereIs(t *testing.T) {
	there := described(t)
	for _, file := range []string{"../configs/prometheus-alerts.yaml", "../configs/grafana-dashboard.json"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		used := make(map[string]bool)
		for _, name := range regexp.MustCompile(`smsbridge_\w+`).FindAllString(string(text), -1) {
			if _, is := there[name]; !is {
				name = regexp.MustCompile(`_(bucket|sum|count)$`).ReplaceAllString(name, "") // of a histogram
			}
			used[name] = true
		}
		if len(used) < 15 {
			t.Errorf("%s uses %d metrics only", file, len(used))
		}
		for _, name := range slices.Sorted(maps.Keys(used)) {
			if _, is := there[name]; !is {
				t.Errorf("%s uses %s, which there is not", file, name)
			}
		}
	}
}

// TestMetricsHaveTheDocumentedType: what /metrics says a metric is stands in docs/metrics.md.
func TestMetricsHaveTheDocumentedType(t *testing.T) {
	page, err := os.ReadFile("../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := make(map[string]string)
	for _, row := range regexp.MustCompile("(?m)^\\| `(smsbridge_\\w+)` \\| (\\w+) \\|").FindAllStringSubmatch(string(page), -1) {
		documented[row[1]] = row[2]
	}
	_, _, body := get(t, serve(t, ops.Config{Registry: ops.NewRegistry("test", sources())})+"/metrics")
	told := regexp.MustCompile(`(?m)^# TYPE (smsbridge_\w+) (\w+)$`).FindAllStringSubmatch(body, -1)
	if len(told) < 30 {
		t.Errorf("%d metrics only", len(told))
	}
	for _, m := range told {
		if documented[m[1]] != m[2] {
			t.Errorf("%s is a %s; the page has %q", m[1], m[2], documented[m[1]])
		}
	}
}
