package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx))
}

func run(ctx context.Context) int {
	chosen, err := choose(lanes(), os.Getenv("LANES"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	r := &report{out: os.Stdout, strict: os.Getenv("CI") == "true", root: ".", env: os.Environ()}
	r.setSeed(os.Getenv("EVERT_SEED"))
	r.setBuild(ctx)
	for _, l := range chosen {
		r.run(ctx, l)
		if ctx.Err() != nil {
			break
		}
	}
	return r.close(ctx.Err())
}

// setSeed gives every lane the same seed, so that one line repeats the run.
func (r *report) setSeed(seed string) {
	if seed == "" {
		seed = strconv.FormatUint(rand.Uint64N(1<<32), 10)
		r.env = append(r.env, "EVERT_SEED="+seed)
	}
	fmt.Fprintf(r.out, "seed %s; the same again: EVERT_SEED=%s make test\n", seed, seed)
}

// setBuild makes all lanes compile alike, with what make build says: what one lane
// compiled, the next ones and the programs that tests build take from the cache,
// in whichever folder the tree lies. The race lane alone is compiled otherwise.
func (r *report) setBuild(ctx context.Context) {
	flags, _ := r.prepareCmd(ctx, nil, "go", "env", "GOFLAGS").Output() // no flags if go itself fails; the build lane says why
	r.env = append(r.env, "CGO_ENABLED=0", strings.TrimSpace("GOFLAGS="+strings.TrimSpace(string(flags))+" -trimpath"))
}

// choose picks lanes by a comma-separated list in the order of the table; an
// empty list means those that always run, and the word ci those of CI with them.
func choose(all []lane, list string) ([]lane, error) {
	wanted, upTo := map[string]bool{}, always
	for name := range strings.SplitSeq(list, ",") {
		if name = strings.TrimSpace(name); name != "" {
			wanted[name] = true
		}
	}
	switch {
	case wanted["ci"]:
		upTo = inCI
		delete(wanted, "ci")
	case len(wanted) > 0:
		upTo = -1
	}
	var chosen []lane
	for _, l := range all {
		if wanted[l.name] || l.when <= upTo {
			chosen = append(chosen, l)
		}
		delete(wanted, l.name)
	}
	for name := range wanted {
		return nil, fmt.Errorf("LANES: there is no lane %q; there are: %s, and ci for all that CI runs", name, names(all))
	}
	return chosen, nil
}

func names(all []lane) string {
	var list []string
	for _, l := range all {
		list = append(list, l.name)
	}
	return strings.Join(list, ", ")
}
