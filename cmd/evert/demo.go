package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime/metrics"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/spf13/cobra"

	"github.com/evertdb/evert/cmd/evert/demo"
	"github.com/evertdb/evert/cmd/evert/monitor"
	"github.com/evertdb/evert/cmd/evert/terminal"
	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/sources/postgres/pgserver"
)

// demoFlags are how the demo is run.
type demoFlags struct {
	keep string
	span time.Duration
	rate float64
	seed uint64
	yes  bool
}

func (a *app) demoVerb() *cobra.Command {
	var f demoFlags
	c := &cobra.Command{
		Use:   "demo",
		Short: "Show Evert on a throw-away Postgres with a shop under traffic",
		Long: `Start a throw-away Postgres, fill it with a small shop, let people order, pay and cancel in
it, and capture it all. At the end every topic is folded by key and compared with its
table; if they differ, the exit code is 1.
A Postgres that is installed here is used; else one question is asked before a pinned
bundle is fetched into your cache. Nothing is installed, root is not needed, and everything
is removed at the end, also after Ctrl-C, unless --keep names a directory for it.`,
		RunE: func(*cobra.Command, []string) error { return a.demo(f) },
	}
	c.Flags().StringVar(&f.keep, "keep", "", "directory for file, topics and database; they stay, and the next demo goes on with them")
	c.Flags().DurationVar(&f.span, "for", 0, "end after so long; without it Ctrl-C ends the demo")
	c.Flags().Float64Var(&f.rate, "rate", 80, "transactions per second in the shop")
	c.Flags().Uint64Var(&f.seed, "seed", 1, "of the traffic")
	c.Flags().BoolVarP(&f.yes, "yes", "y", false, "fetch Postgres without asking if none is found")
	return c
}

// show is a demo that runs.
type show struct {
	*app
	demoFlags
	dir      string
	server   *pgserver.Server
	url      string
	daemon   *daemon
	log      *os.File
	traffic  *demo.Traffic
	head     string
	live     bool
	filled   bool // by an earlier demo
	rates    []float64
	capturer *capturing
}

func (a *app) demo(f demoFlags) (err error) {
	if f.rate <= 0 || f.rate > 10_000 {
		return usage(fmt.Errorf("--rate %v: it is between 0 and 10000", f.rate))
	}
	ctx, stop := signal.NotifyContext(a.ctx, syscall.SIGPIPE) // nobody reads on: clean up as after Ctrl-C
	defer stop()
	s := &show{app: a, demoFlags: f, live: terminal.IsTerminal(a.out)}
	defer func() { err = errors.Join(err, s.cleanUp()) }()
	steps := []func(context.Context) error{s.place, s.startPostgres, s.openShop, s.writeFile, s.startDaemon}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
	}
	return s.run(ctx)
}

// place makes the directory.
func (s *show) place(context.Context) (err error) {
	if s.keep == "" {
		s.dir, err = os.MkdirTemp("", "evert-demo-")
	} else {
		s.dir, err = filepath.Abs(s.keep)
		err = errors.Join(err, os.MkdirAll(s.dir, 0o755))
	}
	return err
}

func (s *show) startPostgres(ctx context.Context) error {
	binaries, err := pgserver.Find()
	if errors.Is(err, pgserver.ErrNotFound) {
		binaries, err = pgserver.Fetch(ctx, s.confirm)
	}
	if err != nil {
		return environment(fmt.Errorf("the demo needs a Postgres: %w; install one with `%s`, or answer yes", err, pgserver.InstallHint()))
	}
	s.tell("starting Postgres %s", binaries.Version)
	options := pgserver.Options{}
	if s.keep != "" {
		options.Dir = filepath.Join(s.dir, "postgres")
	}
	if s.server, err = pgserver.Start(ctx, binaries, options); err != nil {
		return environment(fmt.Errorf("start Postgres: %w", err))
	}
	s.url = s.server.URL("shop")
	s.head = fmt.Sprintf("Postgres %s on port %d · embedded log · seed %d", binaries.Version, s.server.Port(), s.seed)
	return nil
}

// confirm asks a question on the terminal.
func (s *show) confirm(question string) bool {
	if s.yes {
		return true
	}
	fmt.Fprint(s.err, question+" [y/N] ")
	answer, _ := bufio.NewReader(s.in).ReadString('\n')
	answer = strings.ToLower(strings.TrimSpace(answer))
	return answer == "y" || answer == "yes"
}

func (s *show) openShop(ctx context.Context) error {
	if err := s.makeDatabase(ctx); err != nil {
		return err
	}
	c, err := pgx.Connect(ctx, s.url)
	if err != nil {
		return err
	}
	defer c.Close(context.WithoutCancel(ctx))
	if s.filled, err = demo.Filled(ctx, c); err != nil || s.filled {
		return err
	}
	s.tell("filling the shop")
	return demo.Fill(ctx, c, demo.DefaultSizes())
}

func (s *show) makeDatabase(ctx context.Context) error {
	c, err := pgx.Connect(ctx, s.server.URL("postgres"))
	if err != nil {
		return err
	}
	defer c.Close(context.WithoutCancel(ctx))
	var there bool
	if err := c.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = 'shop')").Scan(&there); err != nil || there {
		return err
	}
	_, err = c.Exec(ctx, "CREATE DATABASE shop")
	return err
}

// demoFile is the demo's configuration. The password stands in a file of its own.
const demoFile = `name: demo
data_dir: %s
logging: {level: info, format: text}

sources:
  shop:
    postgres:
      url: "${file:%s}"
      tables: [public.*]

serve: {http: "127.0.0.1:0", registry: "127.0.0.1:0", kafka: "127.0.0.1:0"}
`

func (s *show) file(name string) string { return filepath.Join(s.dir, name) }

func (s *show) writeFile(context.Context) error {
	text := fmt.Sprintf(demoFile, s.file("data"), s.file("postgres-url"))
	return errors.Join(os.WriteFile(s.file("postgres-url"), []byte(s.url+"\n"), 0o600), os.WriteFile(s.file("evert.yaml"), []byte(text), 0o644))
}

func (s *show) startDaemon(ctx context.Context) error {
	config, err := configs.Load(s.file("evert.yaml"), s.env)
	if err != nil {
		return invalid(err)
	}
	if s.log, err = os.OpenFile(s.file("evert.log"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600); err != nil {
		return err
	}
	s.daemon = &daemon{config: config, log: slog.New(slog.NewTextHandler(s.log, nil)),
		flags: runFlags{verb: "demo", patience: 10 * time.Second}}
	if err := s.daemon.boot(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	s.capturer = s.daemon.captures[0]
	return nil
}

// run shows the traffic until it is over, then compares.
func (s *show) run(ctx context.Context) error {
	s.suggest()
	limit, cancel := context.WithCancel(ctx)
	if s.span > 0 {
		limit, cancel = context.WithTimeout(ctx, s.span)
	}
	defer cancel()
	began := time.Now()
	s.traffic = &demo.Traffic{URL: s.url, Seed: s.seed, Rate: s.rate}
	ended := make(chan error, 1)
	go func() { ended <- s.traffic.Run(limit) }()
	s.watch(limit, began)
	cancel()
	if err := <-ended; err != nil {
		return err
	}
	return s.compare(context.WithoutCancel(ctx), time.Since(began))
}

// watch draws, or prints lines, until ctx ends.
func (s *show) watch(ctx context.Context, began time.Time) {
	screen := &demo.Screen{Style: s.style(s.out), Head: s.head, Began: began, Interval: 500 * time.Millisecond}
	panel := &terminal.Panel{W: s.out}
	every := screen.Interval
	if !s.live {
		every = 2 * time.Second
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for before := int64(0); ; {
		frame := s.frame()
		if frame.Changes > 0 {
			s.rates = append(s.rates, float64(frame.Changes-before)/every.Seconds())
			before = frame.Changes
		}
		if s.live {
			_ = panel.Draw(screen.Next(frame))
		} else {
			fmt.Fprintln(s.out, demo.Line(frame, began))
		}
		select {
		case <-ctx.Done():
			_ = panel.Clear()
			return
		case <-tick.C:
		}
	}
}

func (s *show) frame() demo.Frame {
	f := demo.Frame{Now: time.Now(), Source: s.daemon.Status(s.ctx).Sources[0]}
	f.Transactions, f.Changes = s.traffic.Count()
	return f
}

// compare waits until the topics hold what was committed, and compares them
// with the tables.
func (s *show) compare(ctx context.Context, took time.Duration) error {
	s.tell("comparing every topic with its table")
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	if err := s.catchUp(ctx); err != nil {
		return err
	}
	c, err := pgx.Connect(ctx, s.url)
	if err != nil {
		return err
	}
	defer c.Close(ctx)
	sum := s.summary(took)
	comparison := demo.Comparison{Conn: c, Log: s.daemon.topics, Registry: s.daemon.registry, Prefix: "shop"}
	for _, table := range demo.Tables() {
		r, err := comparison.Table(ctx, table)
		if err != nil {
			return err
		}
		sum.Results = append(sum.Results, r)
	}
	fmt.Fprint(s.out, "\n"+sum.String())
	s.sayGoodbye()
	if n := sum.Differ(); n > 0 {
		return fmt.Errorf("%d rows differ between the topics and the tables", n)
	}
	if n := sum.Twice(); n > 0 {
		return fmt.Errorf("%d records lie in their topics twice", n)
	}
	return nil
}

// summary is what is known without looking into the topics.
func (s *show) summary(took time.Duration) demo.Summary {
	sum := demo.Summary{Style: s.style(s.out), Head: s.head, Took: took, Source: s.capturer.monitor.Status(),
		Rates: s.rates[max(0, len(s.rates)-40):], Memory: heldMemory()}
	if s.live {
		sum.Columns = terminal.Columns(s.out)
	}
	if !s.filled && sum.Source.State == monitor.Streaming {
		sum.Copied = sum.Source.Since.Sub(s.daemon.began)
	}
	sum.Transactions, sum.Changes = s.traffic.Count()
	return sum
}

// heldMemory is what the Go runtime has of the machine's memory, in bytes.
func heldMemory() int64 {
	samples := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(samples)
	return int64(samples[0].Value.Uint64() - samples[1].Value.Uint64())
}

// catchUp waits until all that the server has committed by now is in the topics.
func (s *show) catchUp(ctx context.Context) error {
	end, err := s.capturer.database.End(ctx)
	if err != nil {
		return err
	}
	reached := s.capturer.database.Source()
	for {
		if at := s.capturer.monitor.Position().At.Native; at != "" {
			if ok, err := reached.Reached(at, end); err != nil || ok {
				return err
			}
		}
		select {
		case <-ctx.Done():
			problem := ""
			if p := s.capturer.monitor.Status().Problem; p != nil {
				problem = ": " + p.Text
			}
			return errors.New("the topics did not catch up with the database" + problem)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// suggest says what can be tried in another terminal meanwhile.
func (s *show) suggest() {
	st := s.style(s.out)
	enter := "cd " + s.dir
	if program, err := os.Executable(); err == nil && onPath("evert") != program {
		enter += " && alias evert=" + program
	}
	fmt.Fprintf(s.out, "\n%s\n  %s\n", st.Bold("Try in another terminal:"), enter)
	s.list(append([][2]string{
		{"evert tail public.orders", "changes, as they come"},
		{"evert tail public.customers --until-end -o json", "a topic, decoded"},
		{"evert status", "how far everything is"},
	}, s.doors()...))
	stop := "Ctrl-C ends the demo"
	if s.span > 0 {
		stop = "It ends after " + terminal.Duration(s.span)
	}
	fmt.Fprintf(s.out, "%s\n\n", st.Dim(stop+", compares every topic with its table, and cleans up."))
}

// onPath finds a program as a shell does; empty if it does not.
func onPath(name string) string {
	path, _ := exec.LookPath(name)
	return path
}

// doors says what else can be asked, of what the daemon serves.
func (s *show) doors() (out [][2]string) {
	for _, l := range s.daemon.listen {
		_, bare, found := strings.Cut(l.Address, "://")
		if !found {
			bare = l.Address
		}
		switch l.Name {
		case "http":
			out = append(out, [2]string{"curl " + bare + "/metrics", "for Prometheus"})
		case "registry":
			out = append(out, [2]string{"curl " + bare + "/subjects", "the schemas, as a registry"})
		case "kafka":
			out = append(out, [2]string{"kcat -b " + bare + " -t shop.public.orders -C -e", "the topics, as a Kafka broker"})
		}
	}
	return out
}

// list prints commands and, where there is room, what each is for.
func (s *show) list(commands [][2]string) {
	st := s.style(s.out)
	t := terminal.Table{Indent: "  "}
	for _, c := range commands {
		if s.live && terminal.Columns(s.out) < 90 {
			t.Add(st.Cyan(c[0]))
			continue
		}
		t.Add(st.Cyan(fmt.Sprintf("%-47s", c[0])), st.Dim(c[1]))
	}
	_ = t.Write(s.out)
}

// sayGoodbye says what to do next; last of all, for one's own database.
func (s *show) sayGoodbye() {
	st := s.style(s.out)
	if s.keep != "" {
		fmt.Fprintf(s.out, "\n%s cd %s\n", st.Bold("Kept, and goes on with the next demo:"), s.dir)
		s.list([][2]string{{"evert status", "without a daemon"}, {"evert tail shop.public.orders --until-end", "the topics lie in data"}})
	}
	fmt.Fprintf(s.out, "\n%s\n", st.Bold("Now your own database:"))
	s.list([][2]string{
		{"evert init postgres://user:password@host/name", "looks at it, and writes evert.yaml"},
		{"evert check --connect", "what the server still needs, as SQL"},
		{"evert run", "copies the tables, follows every change"},
	})
	fmt.Fprintln(s.out)
}

// tell says what happens before there is something to draw.
func (s *show) tell(format string, args ...any) {
	fmt.Fprintln(s.out, s.style(s.out).Dim(fmt.Sprintf(format, args...)+" …"))
}

// cleanUp ends everything, in the reverse order, and removes what is not kept.
func (s *show) cleanUp() error {
	if s.daemon != nil {
		if s.capturer != nil {
			s.daemon.drain()
		}
		s.daemon.close()
	}
	var errs []error
	if s.log != nil {
		errs = append(errs, s.log.Close())
	}
	if s.server != nil {
		errs = append(errs, s.server.Close())
	}
	if s.keep == "" && s.dir != "" {
		errs = append(errs, os.RemoveAll(s.dir))
	}
	return errors.Join(errs...)
}
