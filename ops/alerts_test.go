package ops_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
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

// anchors are the headings of docs/operations.md, as a link names them.
func anchors(t *testing.T) (all []string) {
	t.Helper()
	page, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllStringSubmatch(string(page), -1) {
		letters := regexp.MustCompile(`[^a-z0-9 _-]`).ReplaceAllString(strings.ToLower(m[1]), "")
		all = append(all, strings.ReplaceAll(letters, " ", "-"))
	}
	return all
}

// TestAlertsHaveRunbooks: each alert names a heading of docs/operations.md, and each symptom there is that of an
// alert.
func TestAlertsHaveRunbooks(t *testing.T) {
	rules, err := os.ReadFile("../configs/prometheus-alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	there := anchors(t)
	begin := slices.Index(there, "by-symptom")
	end := slices.Index(there, "moving-to-a-cluster")
	if begin < 0 || end < begin {
		t.Fatalf("the symptoms are not found among %v", there)
	}
	symptoms := there[begin+1 : end]
	used := make(map[string]bool)
	for _, alert := range strings.Split(string(rules), "- alert: ")[1:] {
		name, _, _ := strings.Cut(alert, "\n")
		m := regexp.MustCompile(`(?m)^          runbook: docs/operations\.md#(\S+)$`).FindStringSubmatch(alert)
		if m == nil || !slices.Contains(symptoms, m[1]) {
			t.Errorf("%s has no runbook that is a symptom of docs/operations.md: %q", name, m)
			continue
		}
		used[m[1]] = true
	}
	for _, s := range symptoms {
		if !used[s] {
			t.Errorf("no alert leads to the symptom %s", s)
		}
	}
}

// TestBoard: Prometheus can read what each panel of the board asks for.
func TestBoard(t *testing.T) {
	text, err := os.ReadFile("../configs/grafana-dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Panels []struct {
			ID      int
			Title   string
			Targets []struct{ Expr, LegendFormat string }
		}
	}
	if err := json.Unmarshal(text, &board); err != nil {
		t.Fatal(err)
	}
	rules := "groups:\n  - name: board\n    rules:\n"
	ids := make(map[int]bool)
	for _, p := range board.Panels {
		if ids[p.ID] || p.Title == "" || len(p.Targets) == 0 {
			t.Errorf("panel %d, %q, shows nothing, or is there twice", p.ID, p.Title)
		}
		ids[p.ID] = true
		for i, target := range p.Targets {
			// What Grafana puts in.
			expr := strings.NewReplacer("$instance", ".*", "$__rate_interval", "5m").Replace(target.Expr)
			quoted, err := json.Marshal(expr)
			if err != nil {
				t.Fatal(err)
			}
			rules += fmt.Sprintf("      - {record: panel_%d_%d, expr: %s}\n", p.ID, i, quoted)
		}
	}
	if len(ids) < 15 {
		t.Errorf("%d panels only", len(ids))
	}
	file := filepath.Join(t.TempDir(), "board.yaml")
	if err := os.WriteFile(file, []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	peers.Promtool(t, "check", "rules", file)
}
