package ops_test

import (
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"smsbridge/internal/peers"
)

// TestAlerts: Prometheus can read the alerts, and each fires under its fault and clears after it.
func TestAlerts(t *testing.T) {
	const rules, tests = "../configs/prometheus-alerts.yaml", "../configs/testdata/prometheus-alerts_test.yaml"
	named := func(file, form string) (names []string) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(form).FindAllStringSubmatch(string(text), -1) {
			names = append(names, m[1])
		}
		slices.Sort(names)
		return names
	}
	if diff := cmp.Diff(named(rules, `- alert: (\w+)`), named(tests, `- name: (\w+)`)); diff != "" {
		t.Errorf("-alerts +tested:\n%s", diff)
	}
	peers.Promtool(t, "check", "rules", rules)
	peers.Promtool(t, "test", "rules", tests)
}
