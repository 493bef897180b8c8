package dataflow

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/evertdb/evert/schema"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// A story is a driver whose output is compared with a file.
type story struct {
	t    *testing.T
	out  bytes.Buffer
	d    *Driver
	plan *Plan
}

func tell(t *testing.T, p *Plan) *story {
	s := &story{t: t, plan: p}
	d, err := NewDriver(p, &s.out)
	if err != nil {
		t.Fatal(err)
	}
	s.d = d
	return s
}

// run is a transaction: "+ table v v v" is a row, "- table k" a deleted key,
// "0 table" a cleared table.
func (s *story) run(title string, lines ...string) {
	s.t.Helper()
	var tx []Saying
	for _, l := range lines {
		words := strings.Fields(l)
		i := slices.IndexFunc(s.plan.Inputs, func(in Input) bool { return in.Table.Name == words[1] })
		cols := s.plan.Inputs[i].Table.Columns
		switch words[0] {
		case "+":
			tx = append(tx, Saying{Input: i, Row: parse(cols, words[2:])})
		case "-":
			tx = append(tx, Saying{Input: i, Key: parse(cols, words[2:])})
		default:
			tx = append(tx, Saying{Input: i})
		}
	}
	_ = s.d.Run(title, tx...) // a refusal is part of the story
}

func parse(cols []schema.Column, words []string) schema.Row {
	row := make(schema.Row, len(words))
	for i, w := range words {
		row[i] = parseValue(cols[i].Type.Kind, w)
	}
	return row
}

func (s *story) end(file string) {
	s.t.Helper()
	path := filepath.Join("testdata", file)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			s.t.Fatal(err)
		}
		if err := os.WriteFile(path, s.out.Bytes(), 0o644); err != nil {
			s.t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		s.t.Fatal(err)
	}
	if !bytes.Equal(want, s.out.Bytes()) {
		s.t.Errorf("%s differs (go test -update writes it anew):\n%s", path, s.out.String())
	}
}
