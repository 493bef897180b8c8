package look

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/evertdb/evert/cmd/evert/api"
	"github.com/evertdb/evert/cmd/evert/exit"
	"github.com/evertdb/evert/cmd/evert/monitor"
	"github.com/evertdb/evert/cmd/evert/terminal"
)

func (a verbs) statusVerb() *cobra.Command {
	ready := false
	c := &cobra.Command{
		Use:   "status",
		Short: "Show how far every source and table is",
		Long: `Show how far every source and table is: from the running daemon, or without one
from the data directory, which is only read. With --ready the exit code is 1 unless a
daemon runs and something of what it serves can be read, as /readyz says: a health check
for containers.`,
		RunE: func(*cobra.Command, []string) error { return a.status(ready) },
	}
	c.Flags().BoolVar(&ready, "ready", false, "end with 1 unless a daemon runs and is ready")
	a.OutputFlag(c)
	return c
}

func (a verbs) status(ready bool) error {
	st, err := a.askStatus()
	if err != nil {
		return err
	}
	if a.JSON() {
		e := json.NewEncoder(a.Out)
		e.SetIndent("", "  ")
		err = e.Encode(st)
	} else {
		err = WriteStatus(a.Out, a.Style(a.Out), &st)
	}
	if err == nil && ready && !(st.Running && st.Ready) {
		return exit.ErrSaid
	}
	return err
}

func (a verbs) askStatus() (st api.Status, err error) {
	config, err := a.Load()
	if err != nil {
		return st, err
	}
	client, rest, err := a.DaemonOr(a.Ctx, config, "status", false)
	switch {
	case err != nil:
		return st, err
	case client != nil:
		return client.Status(a.Ctx)
	}
	defer rest.Close()
	return rest.Status(a.Ctx)
}

// WriteStatus prints a status for people.
func WriteStatus(w io.Writer, s terminal.Style, st *api.Status) error {
	running := s.Yellow("not running")
	if st.Running {
		running = fmt.Sprintf("running for %s, process %d", terminal.Duration(time.Duration(st.UptimeSeconds*float64(time.Second))), st.PID)
	}
	fmt.Fprintf(w, "%s  %s  health %s\n", s.Bold(st.Deployment), running, light(s, st.Light))
	fmt.Fprintf(w, "%s log at %s\n", st.Log.Kind, st.Log.Place)
	if c := st.Log.Cluster; c != nil {
		fmt.Fprintf(w, "cluster %s: %d brokers of version %s, transaction.version %d\n", c.ID, c.Brokers, c.Version, c.TransactionVersion)
	}
	for _, l := range st.Listen {
		fmt.Fprintf(w, "%s at %s\n", l.Name, l.Address)
	}
	if st.Disk != nil {
		fmt.Fprintln(w, diskText(st.Disk))
	}
	for _, f := range st.Findings {
		fmt.Fprintf(w, "%s %s\n  mend: %s\n", s.Yellow("finding"), f.Text, f.Mend)
	}
	for i := range st.Sources {
		if err := writeSource(w, s, &st.Sources[i]); err != nil {
			return err
		}
	}
	if err := writeViews(w, s, st.Views); err != nil {
		return err
	}
	if err := writeSinks(w, s, st.Sinks); err != nil {
		return err
	}
	return writeReaders(w, s, st.Readers)
}

// writeSinks prints the sinks, and what is wrong with them.
func writeSinks(w io.Writer, s terminal.Style, sinks []monitor.SinkStatus) error {
	if len(sinks) == 0 {
		return nil
	}
	t := terminal.Table{Indent: "  ", Style: s, Header: []string{"SINK", "KIND", "FROM", "STATE", ">BEHIND", ">ROWS BEHIND", ">DELIVERED", ">REJECTED"}}
	for i := range sinks {
		k := &sinks[i]
		behind, rows := "nothing", "not known"
		if k.LagSeconds > 0 {
			behind = terminal.Duration(time.Duration(k.LagSeconds * float64(time.Second)))
		}
		if k.LagRows != nil {
			rows = terminal.Count(*k.LagRows)
		}
		t.Add(k.Name, k.Kind, k.From, sinkStateText(s, k), behind, rows, terminal.Count(int64(k.Totals.Rows)), terminal.Count(int64(k.Totals.Rejected)))
	}
	fmt.Fprintln(w)
	if err := t.Write(w); err != nil {
		return err
	}
	for i := range sinks {
		if p := sinks[i].Problem; p != nil {
			fmt.Fprintf(w, "  sink %s: %s\n  mend: %s\n", sinks[i].Name, s.Red(p.Text), p.Mend)
		}
	}
	return nil
}

func sinkStateText(s terminal.Style, k *monitor.SinkStatus) string {
	text := stateText(s, k.State)
	if k.PausedAt != nil {
		text += " since " + k.PausedAt.Local().Format(time.DateTime) + " by " + k.PausedBy
	}
	if f := k.Filling; f != nil {
		text += fmt.Sprintf(" %.0f%%", 100*f.Ratio)
		if f.LeftSeconds > 0 {
			text += ", " + terminal.Duration(time.Duration(f.LeftSeconds*float64(time.Second))) + " left"
		}
	}
	return text
}

// writeViews prints the views, and what is wrong with them.
func writeViews(w io.Writer, s terminal.Style, views []monitor.ViewStatus) error {
	if len(views) == 0 {
		return nil
	}
	t := terminal.Table{Indent: "  ", Style: s, Header: []string{"VIEW", "STATE", ">EPOCH", ">BEHIND", ">ROWS CHANGED", ">STATE SIZE"}}
	for i := range views {
		v := &views[i]
		behind := terminal.Duration(time.Duration(v.LagSeconds * float64(time.Second)))
		if v.BehindTransactions == 0 {
			behind = "nothing"
		}
		t.Add(v.Name, viewStateText(s, v), terminal.Count(int64(v.Epoch)), behind, terminal.Count(int64(v.Totals.RowsOut)), terminal.Bytes(v.StateBytes))
	}
	fmt.Fprintln(w)
	if err := t.Write(w); err != nil {
		return err
	}
	for i := range views {
		if p := views[i].Problem; p != nil {
			fmt.Fprintf(w, "  view %s: %s\n  mend: %s\n", views[i].Name, s.Red(p.Text), p.Mend)
		}
	}
	return nil
}

func viewStateText(s terminal.Style, v *monitor.ViewStatus) string {
	text := stateText(s, v.State)
	if h := v.Hydration; h != nil {
		text += fmt.Sprintf(" %.0f%%", 100*h.Ratio)
		if h.LeftSeconds > 0 {
			text += ", " + terminal.Duration(time.Duration(h.LeftSeconds*float64(time.Second))) + " left"
		}
	}
	return text
}

func diskText(d *monitor.DiskStatus) string {
	text := fmt.Sprintf("disk %s free of %s", terminal.Bytes(d.FreeBytes), terminal.Bytes(d.SizeBytes))
	if d.FullSeconds != nil {
		text += ", full in " + terminal.Duration(time.Duration(*d.FullSeconds*float64(time.Second))) + " at the present rate"
	}
	return text
}

// writeReaders prints the consumer groups on the table topics.
func writeReaders(w io.Writer, s terminal.Style, readers []monitor.ReaderStatus) error {
	if len(readers) == 0 {
		return nil
	}
	t := terminal.Table{Indent: "  ", Style: s, Header: []string{"GROUP", ">UNREAD", ">BEHIND", ">DELETES ARE KEPT"}}
	seconds := func(v float64) string { return terminal.Duration(time.Duration(v * float64(time.Second))) }
	for _, r := range readers {
		kept := "for ever"
		if r.RetentionSeconds > 0 {
			kept = seconds(r.RetentionSeconds)
		}
		t.Add(r.Group, terminal.Count(r.UnreadRecords), seconds(r.LagSeconds), kept)
	}
	fmt.Fprintln(w)
	return t.Write(w)
}

func light(s terminal.Style, l monitor.Light) string {
	switch l {
	case monitor.OK:
		return s.Green(string(l))
	case monitor.Degraded:
		return s.Yellow(string(l))
	}
	return s.Red(string(l))
}

func writeSource(w io.Writer, s terminal.Style, src *monitor.SourceStatus) error {
	fmt.Fprintf(w, "\n%s  %s  %s\n", s.Bold("source "+src.Name), src.Kind, stateText(s, src.State))
	facts := terminal.Table{Indent: "  "}
	add := func(name, value string) {
		if value != "" {
			facts.Add(s.Dim(name), value)
		}
	}
	add("position", terminal.Position(src.Position, src.Seq))
	add("lag", lagText(src))
	add("retained", retainedText(src.Server))
	add("carried", carriedText(src))
	add("latency", latencyText(src))
	add("snapshot", copyText(src.Snapshot))
	for _, t := range src.Tables {
		if t.Problem != nil {
			add("stopped", s.Red(t.Problem.Text))
			add("mend", t.Problem.Mend)
		}
	}
	if p := src.Problem; p != nil {
		add("problem", s.Red(p.Text))
		add("mend", p.Mend)
	}
	if err := facts.Write(w); err != nil || len(src.Tables) == 0 {
		return err
	}
	fmt.Fprintln(w)
	t := terminal.Table{Indent: "  ", Style: s, Header: []string{"TOPIC", ">" + counted(src.State), "STATE"}}
	for _, table := range src.Tables {
		state := table.State
		if table.Copied != nil {
			state += ", " + terminal.RowsCopied(*table.Copied, table.CopyTotal)
		}
		t.Add(table.Topic, terminal.Count(int64(table.Rows)), state)
	}
	return t.Write(w)
}

// counted says what the column of rows counts.
func counted(state monitor.State) string {
	if state == monitor.Stopped {
		return "RECORDS"
	}
	return "ROWS SINCE START"
}

func stateText(s terminal.Style, state monitor.State) string {
	switch state {
	case monitor.Streaming, monitor.Done:
		return s.Green(string(state))
	case monitor.Refused, monitor.Stuck:
		return s.Red(string(state))
	}
	return s.Yellow(string(state))
}

func lagText(src *monitor.SourceStatus) string {
	text := ""
	if src.Server != nil && !src.Server.At.IsZero() {
		text = terminal.Bytes(src.Server.LagBytes)
	}
	if src.LagSeconds != nil {
		if text != "" {
			text += ", "
		}
		text += terminal.Duration(time.Duration(*src.LagSeconds * float64(time.Second)))
	}
	if src.ClockSkewed {
		text += " (the server's clock is not ours)"
	}
	return text
}

func retainedText(v *monitor.ServerStatus) string {
	switch {
	case v == nil:
		return ""
	case v.Slot == "lost" || v.Slot == "missing":
		return "nothing: the slot is " + v.Slot
	case v.RetainedBytes == nil:
		return ""
	}
	text := terminal.Bytes(*v.RetainedBytes) + " of the server's log"
	if v.Slot != "" && v.Slot != "reserved" {
		text += ", slot " + v.Slot
	}
	switch {
	case v.LimitBytes == nil:
		return text + ", without a limit"
	case v.LimitSeconds != nil:
		return text + ", " + terminal.Bytes(*v.LimitBytes) + " or " + terminal.Duration(time.Duration(*v.LimitSeconds*float64(time.Second))) + " until the limit"
	}
	return text + ", " + terminal.Bytes(*v.LimitBytes) + " until the limit"
}

func carriedText(src *monitor.SourceStatus) string {
	if src.Totals.Commits == 0 {
		return ""
	}
	return fmt.Sprintf("%s rows, %s, %s transactions, %s parts", terminal.Count(int64(src.Totals.Rows)), terminal.Bytes(int64(src.Totals.Bytes)),
		terminal.Count(int64(src.Totals.Transactions)), terminal.Count(int64(src.Totals.Parts)))
}

func latencyText(src *monitor.SourceStatus) string {
	if src.Latency.Samples == 0 {
		return ""
	}
	second := func(v float64) string { return terminal.Duration(time.Duration(v * float64(time.Second))) }
	return fmt.Sprintf("commit to topic %s median, %s p99", second(src.Latency.DeliveryP50), second(src.Latency.DeliveryP99))
}

func copyText(c *monitor.CopyProgress) string {
	if c == nil {
		return ""
	}
	text := fmt.Sprintf("%s of about %s rows, %d of %d tables", terminal.Count(c.Rows), terminal.Count(c.RowsTotal), c.TablesDone, c.TablesTotal)
	if c.LeftSeconds != nil {
		text += ", " + terminal.Duration(time.Duration(*c.LeftSeconds*float64(time.Second))) + " left"
	}
	return text
}
