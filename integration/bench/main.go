//go:build unix

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	short := flag.Bool("short", false, "a fifth of the rows, and one measurement of each")
	only := flag.String("only", "", "one of stream, shapes, snapshot, memory, latency, mysql, kafka, views, postgres-sink, bleve, opensearch, micro")
	out := flag.String("out", "results/bench.json", "where the results go")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	missed, err := run(ctx, *short, *only, *out)
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	if missed {
		os.Exit(1)
	}
}

// run measures everything; missed says that a gate was.
func run(ctx context.Context, short bool, only, out string) (missed bool, err error) {
	l, err := newLab(ctx, short)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	res := newResults(ctx, l)
	for _, part := range []struct {
		name string
		run  func(context.Context, *results) error
	}{
		{"stream", l.stream}, {"shapes", l.shapes}, {"snapshot", l.snapshot}, {"memory", l.memory}, {"latency", l.latency}, {"mysql", l.mysql}, {"kafka", l.kafka}, {"views", l.views}, {"postgres-sink", l.postgresSink}, {"bleve", l.bleve}, {"opensearch", l.opensearch}, {"micro", l.micro},
	} {
		if only != "" && only != part.name {
			continue
		}
		fmt.Fprintf(os.Stderr, "# %s\n", part.name)
		if err := part.run(ctx, res); err != nil {
			return false, fmt.Errorf("%s: %w", part.name, err)
		}
	}
	res.print(os.Stdout)
	return res.missed(), res.write(out)
}
