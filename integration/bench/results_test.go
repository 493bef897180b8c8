//go:build unix

package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMicroIsParsed(t *testing.T) {
	text := `goos: linux
pkg: github.com/evertdb/evert/schema/avro
BenchmarkRow20-2   	 1000000	       723.0 ns/op	 383.13 MB/s	       0 B/op	       0 allocs/op
PASS
pkg: github.com/evertdb/evert/pipeline/state
BenchmarkNote-2    	    9999	    102447 ns/op	    1515 B/op	     105 allocs/op
`
	want := []micro{
		{Package: "schema/avro", Name: "Row20-2", NsOp: 723, MBs: 383.13},
		{Package: "pipeline/state", Name: "Note-2", NsOp: 102447, BytesOp: 1515, Allocs: 105},
	}
	if diff := cmp.Diff(want, parseMicro([]byte(text))); diff != "" {
		t.Error(diff)
	}
}

func TestMissedGatesAreSaid(t *testing.T) {
	r := &results{}
	r.atLeast(0.8, "stream ÷ limit", 0.75, "", "")
	r.below(200, "memory", 150, "MB", "")
	var b strings.Builder
	r.print(&b)
	if !r.missed() || !strings.Contains(b.String(), "GATE MISSED: stream ÷ limit is 0.75") {
		t.Errorf("a missed gate is not said:\n%s", b.String())
	}
	if strings.Contains(b.String(), "GATE MISSED: memory") {
		t.Errorf("a gate that holds is said to be missed:\n%s", b.String())
	}
}
