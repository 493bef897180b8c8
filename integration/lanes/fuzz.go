package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"strings"
)

// fuzz runs every fuzz target in turn: go allows one at a time.
func fuzz(ctx context.Context, r *report) (tally, error) {
	list, err := r.packages(ctx, notIn("integration"))
	if err != nil {
		return tally{failed: 1}, err
	}
	length := cmp.Or(os.Getenv("EVERT_FUZZTIME"), "10s")
	var sum tally
	for _, pkg := range list {
		targets, err := r.fuzzTargets(ctx, pkg)
		if err != nil {
			return sum, err
		}
		for _, target := range targets {
			t, err := r.step(ctx, short(pkg)+" "+target, nil, "go", "test", "-run=^$", "-fuzz=^"+target+"$", "-fuzztime="+length, pkg)
			sum.add(t)
			if err != nil {
				fmt.Fprintf(r.out, "FAIL %v\n", err) // go on: the others may find more
			}
		}
	}
	return sum, ctx.Err()
}

func (r *report) fuzzTargets(ctx context.Context, pkg string) ([]string, error) {
	out, err := r.prepareCmd(ctx, nil, "go", "test", "-list=^Fuzz", pkg).Output()
	if err != nil {
		return nil, fmt.Errorf("list fuzz targets of %s: %w", pkg, err)
	}
	var targets []string
	for word := range strings.FieldsSeq(string(out)) {
		if strings.HasPrefix(word, "Fuzz") {
			targets = append(targets, word)
		}
	}
	return targets, nil
}
