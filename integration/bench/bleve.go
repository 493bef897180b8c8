//go:build unix

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"
)

// bleve runs the benchmark beside the index: documents from rows in memory, by the
// target, and the same documents by the library alone.
func (l *lab) bleve(ctx context.Context, res *results) error {
	documents := l.rows / 20
	var target, bare []float64
	for range l.repeats {
		cmd := exec.CommandContext(ctx, "go", "test", "-run=^$", "-bench=Documents", "-benchtime=1x", "./sinks/bleve")
		cmd.Env = append(os.Environ(), "EVERT_BENCH_DOCUMENTS="+strconv.Itoa(documents))
		var said bytes.Buffer
		cmd.Stdout, cmd.Stderr = &said, os.Stderr
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("%w\n%s", err, said.Bytes())
		}
		rates := docRates(said.String())
		if rates["target"] == 0 || rates["bare"] == 0 {
			return fmt.Errorf("the benchmark did not say both rates:\n%s", said.Bytes())
		}
		target, bare = append(target, rates["target"]), append(bare, rates["bare"])
	}
	ours, limit := middle(target), middle(bare)
	res.add("bleve, documents", ours, "docs/s", fmt.Sprintf("%d documents, a commit each thousand", documents))
	res.add("bleve, the library alone", limit, "docs/s", "the same documents, its default mapping, batches of a thousand")
	res.atLeast(0.8, "bleve, documents ÷ the library alone", ours/limit, "", "")
	whole, err := l.path(ctx, "indexed", documents, func(int) string { return "bleve: {}" })
	if err != nil {
		return err
	}
	res.rates("topic into Bleve, by the binary", documents, whole, "the library alone", time.Duration(float64(documents)/limit*float64(time.Second)), 0.5)
	return nil
}

// docRates reads the lines of the benchmark: `BenchmarkDocuments/target-2 1 5103 ns/op 979.8 docs/s`.
func docRates(said string) map[string]float64 {
	rates := map[string]float64{}
	for line := range strings.Lines(said) {
		fields := strings.Fields(line)
		name, ok := strings.CutPrefix(line, "BenchmarkDocuments/")
		at := slices.Index(fields, "docs/s")
		if !ok || at < 1 {
			continue
		}
		name, _, _ = strings.Cut(name, "-")
		rates[strings.TrimSpace(strings.Fields(name)[0])], _ = strconv.ParseFloat(fields[at-1], 64)
	}
	return rates
}

func middle(all []float64) float64 {
	slices.Sort(all)
	return all[len(all)/2]
}
