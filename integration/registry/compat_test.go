//go:build unix

package registry

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/evertdb/evert/integration/harness"
	"github.com/evertdb/evert/schema/avro"
)

// TestCompatibilityIsAvros compares what the registry finds between random
// schemas with what Apache Avro's own checker finds.
func TestCompatibilityIsAvros(t *testing.T) {
	t.Parallel()
	seed := harness.Seed(t)
	rng := rand.New(rand.NewPCG(seed, 1))
	const pairs = 2000
	asked := make([][2]string, pairs)
	for i := range asked {
		asked[i] = [2]string{draw(rng), draw(rng)}
	}
	agreed := 0
	for i, want := range compare(t, asked) {
		if got := kinds(t, asked[i][0], asked[i][1]); !slices.Equal(got, want) {
			t.Errorf("reader %s\nwriter %s\nwe find %v, Avro finds %v", asked[i][0], asked[i][1], got, want)
		} else if len(want) == 0 {
			agreed++
		}
	}
	if agreed < pairs/50 || agreed > pairs/2 {
		t.Errorf("%d of %d pairs are compatible: the drawing tests one side only", agreed, pairs)
	}
}

// compare asks Apache Avro's checker what keeps a reader from a writer's records,
// for each pair of them: kinds of differences, sorted; none if it can read them.
func compare(t *testing.T, asked [][2]string) (found [][]string) {
	t.Helper()
	var in bytes.Buffer
	for _, pair := range asked {
		line, err := json.Marshal(pair)
		if err != nil {
			t.Fatal(err)
		}
		in.Write(append(line, '\n'))
	}
	cmd := exec.CommandContext(t.Context(), python(t), "testdata/compat.py")
	cmd.Stdin = &in
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		var kinds []string
		if err := json.Unmarshal([]byte(line), &kinds); err != nil {
			t.Fatal(err)
		}
		found = append(found, kinds)
	}
	if len(found) != len(asked) {
		t.Fatalf("%d answers to %d pairs", len(found), len(asked))
	}
	return found
}

func kinds(t *testing.T, reader, writer string) []string {
	t.Helper()
	r, err := avro.Parse(reader)
	if err != nil {
		t.Fatalf("%v: %s", err, reader)
	}
	w, err := avro.Parse(writer)
	if err != nil {
		t.Fatalf("%v: %s", err, writer)
	}
	found := []string{}
	for _, d := range r.Reads(w) {
		found = append(found, string(d.Kind))
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// draw gives a record whose parts often resemble those of another.
func draw(rng *rand.Rand) string {
	d := drawer{Rand: rng}
	return d.record(2)
}

type drawer struct {
	*rand.Rand
	named int
}

// name gives each schema the same names in the same order, mostly.
func (d *drawer) name() string {
	d.named++
	if d.IntN(12) == 0 {
		return fmt.Sprint("M", d.named)
	}
	return fmt.Sprint("N", d.named)
}

func (d *drawer) record(depth int) string {
	name := d.name()
	var fields []string
	for i := range 1 + d.IntN(2) {
		if d.IntN(3) == 0 {
			fields = append(fields, fmt.Sprintf(`{"name":"d%d","type":"int","default":1}`, i))
			continue
		}
		fields = append(fields, fmt.Sprintf(`{"name":"f%d","type":%s}`, i, d.typ(depth)))
	}
	return fmt.Sprintf(`{"type":"record","name":%q,"fields":[%s]}`, name, strings.Join(fields, ","))
}

func (d *drawer) typ(depth int) string {
	n := 9
	if depth == 0 {
		n = 3
	}
	switch d.IntN(n) {
	case 0, 1, 2:
		return d.primitive()
	case 3:
		return fmt.Sprintf(`{"type":"array","items":%s}`, d.typ(depth-1))
	case 4:
		return fmt.Sprintf(`{"type":"map","values":%s}`, d.typ(depth-1))
	case 5:
		return fmt.Sprintf(`{"type":"enum","name":%q,"symbols":[%s]}`, d.name(), []string{`"A"`, `"A","B"`, `"B","C"`}[d.IntN(3)])
	case 6:
		return fmt.Sprintf(`{"type":"fixed","name":%q,"size":%d}`, d.name(), 1+d.IntN(2))
	case 7:
		return d.record(depth - 1)
	}
	return []string{`["null","int"]`, `["null","long"]`, `["int","string"]`, `["null","double","string"]`}[d.IntN(4)]
}

func (d *drawer) primitive() string {
	return []string{`"int"`, `"long"`, `"float"`, `"double"`, `"string"`, `"bytes"`, `"boolean"`}[d.IntN(7)]
}
