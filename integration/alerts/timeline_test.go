//go:build unix

package alerts

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/evertdb/evert/integration/harness"
	"github.com/evertdb/evert/integration/promtool"
)

const (
	rulesFile = "../../configs/monitoring/alerts.yaml"
	interval  = 15 * time.Second // of scrapes and evaluations
)

// tool gives promtool.
func tool(t *testing.T) string {
	t.Helper()
	path, err := promtool.Find()
	if err != nil {
		t.Skipf("SKIPPED: %v\n  mend: %s, or LANES=prepare make test", err, promtool.Hint)
	}
	return path
}

// A timeline is what Prometheus would hold of one daemon, a column per scrape.
type timeline struct {
	*testing.T
	data    string // the daemon's data directory
	series  map[string][]string
	ages    map[string]time.Duration // of the timeline, since an age is not 0
	columns int
}

func newTimeline(t *testing.T, data string) *timeline {
	return &timeline{T: t, data: data, series: map[string][]string{}, ages: map[string]time.Duration{}}
}

// watch scrapes for so long a time of the timeline.
func (l *timeline) watch(span time.Duration) {
	l.Helper()
	for range int(span/interval) + 1 {
		l.scrape()
	}
}

// scrape adds a column. A daemon that does not answer is one that is not up.
func (l *timeline) scrape() map[string]float64 {
	l.Helper()
	values := map[string]float64{`up{job="evert",instance="daemon"}`: 0}
	if body, err := l.get(); err == nil {
		values[`up{job="evert",instance="daemon"}`] = 1
		lines := bufio.NewScanner(strings.NewReader(body))
		for lines.Scan() {
			if name, v, ok := parse(lines.Text()); ok {
				values[name] = v
			}
		}
	}
	for name, v := range values {
		l.pad(name)
		if strings.HasPrefix(name, aged) || strings.HasPrefix(name, sinkAged) {
			v = l.grown(name, v)
		}
		l.series[name] = append(l.series[name], strconv.FormatFloat(v, 'g', -1, 64))
	}
	l.columns++
	for name := range l.series {
		l.pad(name)
	}
	return values
}

// aged and sinkAged count the seconds since something, and their alerts wait for
// more of them than a test has.
const (
	aged     = "evert_view_lag_seconds{"
	sinkAged = "evert_sink_lag_seconds{"
)

// grown adds to an age the time that passed on the timeline, and not for the
// daemon, since the age began.
func (l *timeline) grown(name string, v float64) float64 {
	if v == 0 {
		delete(l.ages, name)
		return 0
	}
	sum := v + l.ages[name].Seconds()
	l.ages[name] += interval
	return sum
}

// pad marks where a series has no sample; the first of them ends it, as
// Prometheus notes it.
func (l *timeline) pad(name string) {
	s := l.series[name]
	for len(s) < l.columns {
		mark := "_"
		if n := len(s); n > 0 && s[n-1] != "_" && s[n-1] != "stale" {
			mark = "stale"
		}
		s = append(s, mark)
	}
	l.series[name] = s
}

// parse reads a sample of ours, and adds the labels of a scrape.
func parse(line string) (series string, v float64, ok bool) {
	at := strings.LastIndexByte(line, ' ')
	if !strings.HasPrefix(line, "evert_") || at < 0 || strings.Contains(line, "_bucket{") {
		return "", 0, false
	}
	v, err := strconv.ParseFloat(line[at+1:], 64)
	name, labels, found := strings.Cut(strings.TrimSuffix(line[:at], "}"), "{")
	if found {
		labels += ","
	}
	return name + "{" + labels + `job="evert",instance="daemon"}`, v, err == nil
}

func (l *timeline) get() (string, error) {
	socket := filepath.Join(l.data, "evert.sock")
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}
	resp, err := (&http.Client{Transport: transport, Timeout: 10 * time.Second}).Get("http://evert/metrics")
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

// await scrapes, outside of the timeline, until a metric is as wished.
func (l *timeline) await(what string, wish func(values map[string]float64) bool) {
	l.Helper()
	timeout := time.After(harness.Patience)
	for {
		probe := newTimeline(l.T, l.data)
		values := probe.scrape()
		if wish(values) {
			return
		}
		select {
		case <-time.After(100 * time.Millisecond): // the period of asking
		case <-timeout:
			l.Fatalf("no sign of %s in:\n%v", what, values)
		}
	}
}

// value finds a metric by the beginning of its series.
func value(values map[string]float64, series string) (v float64, ok bool) {
	for name, v := range values {
		if strings.HasPrefix(name, series) {
			return v, true
		}
	}
	return 0, false
}

// fires checks which alerts fire at the end of the timeline, each by its name
// and, where it has one, its component.
func (l *timeline) fires(expr string, want ...string) {
	l.Helper()
	rules, err := filepath.Abs(rulesFile)
	if err != nil {
		l.Fatal(err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "rule_files: [%q]\nevaluation_interval: 15s\ntests:\n- interval: 15s\n  input_series:\n", rules)
	for name, samples := range l.series {
		fmt.Fprintf(&b, "  - {series: '%s', values: '%s'}\n", name, strings.Join(samples, " "))
	}
	fmt.Fprintf(&b, "  promql_expr_test:\n  - expr: '%s'\n    eval_time: %ds\n    exp_samples:%s\n", expr, (l.columns-1)*int(interval.Seconds()), samples(want))
	file := filepath.Join(l.TempDir(), "timeline.yaml")
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		l.Fatal(err)
	}
	if out, err := exec.Command(tool(l.T), "test", "rules", file).CombinedOutput(); err != nil {
		l.Fatalf("after %d scrapes the alerts that fire are not %v: %v\n%s", l.columns, want, err, out)
	}
}

func samples(want []string) string {
	if len(want) == 0 {
		return " []"
	}
	text := ""
	for _, labels := range want {
		text += fmt.Sprintf("\n    - {labels: '%s', value: 1}", labels)
	}
	return text
}

// The alerts that are seen. That of the disk is left out where the disk is not
// the test's own, and that of progress where a source has stopped: it begins when 15
// seconds have passed for the daemon.
const (
	allAlerts    = `group by (alertname, component) (ALERTS{alertstate="firing"})`
	butTheDisk   = `group by (alertname, component) (ALERTS{alertstate="firing",alertname!="EvertDiskFilling"})`
	ofStopped    = `group by (alertname, component) (ALERTS{alertstate="firing",alertname!~"EvertDiskFilling|EvertNoProgress"})`
	slotAtRisk   = `{alertname="EvertSlotAtRisk"}`
	noProgress   = `{alertname="EvertNoProgress"}`
	sourceDown   = `{alertname="EvertComponentDown",component="source db"}`
	daemonDown   = `{alertname="EvertComponentDown"}`
	logDown      = `{alertname="EvertComponentDown",component="log"}`
	diskFilling  = `{alertname="EvertDiskFilling"}`
	viewDown     = `{alertname="EvertComponentDown",component="view shares"}`
	viewBehind   = `{alertname="EvertViewBehind"}`
	sinkDown     = `{alertname="EvertComponentDown",component="sink copy"}`
	sinkBehind   = `{alertname="EvertSinkBehind"}`
	readerBehind = `{alertname="EvertReaderFallsBehind"}`
)

// The scrape of a daemon has the form that the timeline reads.
func TestTimelineReadsScrapes(t *testing.T) {
	for line, want := range map[string]string{
		`evert_log_full 0`: `evert_log_full{job="evert",instance="daemon"}`,
		`evert_source_state{source="a b",state="x"} 1e+06`: `evert_source_state{source="a b",state="x",job="evert",instance="daemon"}`,
		`go_goroutines 7`:                         "",
		`evert_source_commit_seconds_bucket{} 12`: "",
		`# HELP evert_log_full 1 while`:           "",
	} {
		if got, _, _ := parse(line); got != want {
			t.Errorf("%s: %s", line, got)
		}
	}
	l := newTimeline(t, "")
	l.columns = 2
	l.series["s"] = []string{"1"}
	l.pad("s")
	l.columns = 4
	l.pad("s")
	if !slices.Equal(l.series["s"], []string{"1", "stale", "_", "_"}) {
		t.Errorf("a series that ends: %v", l.series["s"])
	}
	for i, age := range []struct{ real, want float64 }{{0, 0}, {2, 2}, {2.5, 17.5}, {3, 33}, {0, 0}, {1, 1}} {
		if got := l.grown("age", age.real); got != age.want {
			t.Errorf("scrape %d: an age of %v became %v, want %v", i, age.real, got, age.want)
		}
	}
}
