//go:build unix

package alerts

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Prometheus itself has nothing to say against the rules, and there are the seven.
func TestRulesAreSound(t *testing.T) {
	out, err := exec.Command(tool(t), "check", "rules", rulesFile).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "7 rules found") {
		t.Fatalf("promtool check rules: %v\n%s", err, out)
	}
}

// Every metric that a rule or a panel names exists.
func TestMetricsExist(t *testing.T) {
	page, err := os.ReadFile("../../configs/monitoring/METRICS.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"alerts.yaml", "grafana.json"} {
		text, err := os.ReadFile(filepath.Join("../../configs/monitoring", name))
		if err != nil {
			t.Fatal(err)
		}
		seen := 0
		for _, metric := range regexp.MustCompile(`evert_[a-z_]+`).FindAllString(string(text), -1) {
			seen++
			if !strings.Contains(string(page), "`"+strings.TrimSuffix(metric, "_bucket")+"`") {
				t.Errorf("%s names %s, which METRICS.md does not know", name, metric)
			}
		}
		if seen < 5 {
			t.Errorf("%s names %d metrics", name, seen)
		}
	}
}

// A dashboard is as much of Grafana's model as the test needs.
type dashboard struct {
	Title  string
	Panels []struct {
		ID      int
		Type    string
		Title   string
		GridPos struct{ H, W, X, Y int }
		Targets []struct{ Expr string }
	}
}

// Every panel's expressions are ones that Prometheus parses, and no panel lies
// upon another.
func TestDashboardParses(t *testing.T) {
	text, err := os.ReadFile("../../configs/monitoring/grafana.json")
	if err != nil {
		t.Fatal(err)
	}
	var d dashboard
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	variables := strings.NewReplacer("$__rate_interval", "5m", "$source", ".*")
	rules, ids, cells := "groups:\n- name: dashboard\n  rules:\n", map[int]bool{}, map[[2]int]string{}
	for _, p := range d.Panels {
		if ids[p.ID] || p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("panel %q: id %d is used twice, or it shows nothing", p.Title, p.ID)
		}
		ids[p.ID] = true
		for i, target := range p.Targets {
			rules += fmt.Sprintf("  - {record: 'panel_%d_%d', expr: %q}\n", p.ID, i, variables.Replace(target.Expr))
		}
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := cells[[2]int{x, y}]; other != "" || x >= 24 {
					t.Fatalf("panel %q lies upon %q", p.Title, other)
				}
				cells[[2]int{x, y}] = p.Title
			}
		}
	}
	file := filepath.Join(t.TempDir(), "panels.yaml")
	if err := os.WriteFile(file, []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(tool(t), "check", "rules", file).CombinedOutput(); err != nil {
		t.Fatalf("the dashboard's expressions: %v\n%s", err, out)
	}
}
