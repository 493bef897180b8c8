package sql

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/evertdb/evert/pipeline/dataflow"
	"github.com/evertdb/evert/pipeline/sql/syntax"
)

// seeds are the queries of the golden files and of the refusals.
func seeds(t testing.TB) []string {
	var list []string
	for _, file := range []string{"testdata/joins.sql", "testdata/groups.sql"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for i, part := range strings.Split(string(text), "\n----\n") {
			if i%2 == 0 {
				list = append(list, part)
			}
		}
	}
	for _, r := range refusals {
		list = append(list, r.text)
	}
	return list
}

// sound holds that a text is refused with a place, or gives a plan whose parts fit
// each other and whose canonical text gives the same plan.
func sound(text string) error {
	v, err := Compile(text, shop(), Options{})
	if err != nil {
		var list syntax.Errors
		if !errors.As(err, &list) {
			return fmt.Errorf("an error without a place: %w", err)
		}
		return nil
	}
	if err := fits(v.Plan.Root); err != nil {
		return fmt.Errorf("%w\n%s", err, explained(v.Plan))
	}
	again, err := Compile(v.Text, shop(), Options{})
	if err != nil {
		return fmt.Errorf("the canonical text is refused: %w\n%s", err, v.Text)
	}
	if again.Hash != v.Hash {
		return fmt.Errorf("the canonical text has another plan\n%s\n%s", explained(v.Plan), explained(again.Plan))
	}
	return nil
}

// fits holds what the nodes of a plan ask of each other.
func fits(n dataflow.Node) error {
	for _, in := range n.Inputs() {
		if err := fits(in); err != nil {
			return err
		}
	}
	within := func(what string, at []int, cols int) error {
		for _, c := range at {
			if c < 0 || c >= cols {
				return fmt.Errorf("%T: %s names column %d of %d", n, what, c, cols)
			}
		}
		return nil
	}
	for _, set := range n.Unique() {
		if err := within("a unique set", set, len(n.Columns())); err != nil {
			return err
		}
	}
	switch n := n.(type) {
	case *dataflow.Join:
		return errors.Join(within("the left key", n.LeftKey, len(n.Left.Columns())), within("the right key", n.RightKey, len(n.Right.Columns())), joinFits(n))
	case *dataflow.Map:
		if len(n.Exprs) != len(n.Cols) {
			return fmt.Errorf("a map of %d expressions and %d columns", len(n.Exprs), len(n.Cols))
		}
	case *dataflow.Aggregate:
		return within("the group", n.Group, len(n.In.Columns()))
	}
	return nil
}

func joinFits(n *dataflow.Join) error {
	if len(n.LeftKey) == 0 || len(n.LeftKey) != len(n.RightKey) {
		return errors.New("a join without a key, or with two lengths of it")
	}
	for i := range n.LeftKey {
		l, r := n.Left.Columns()[n.LeftKey[i]], n.Right.Columns()[n.RightKey[i]]
		if l.Type.Kind != r.Type.Kind || l.Type.Bits != r.Type.Bits || l.Type.Zoned != r.Type.Zoned {
			return fmt.Errorf("a join of %s and %s", l.Type.Name, r.Type.Name)
		}
	}
	return nil
}

func FuzzCompile(f *testing.F) {
	for _, s := range seeds(f) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if err := sound(text); err != nil {
			t.Fatal(err)
		}
	})
}

// TestBrokenTextIsRefusedOrSound breaks queries at random: words are dropped,
// doubled and exchanged with those of other queries.
func TestBrokenTextIsRefusedOrSound(t *testing.T) {
	count := 3_000
	if os.Getenv("EVERT_FULL") != "" {
		count = 300_000
	}
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	var all [][]string
	for _, s := range seeds(t) {
		all = append(all, strings.Fields(strings.NewReplacer("(", " ( ", ")", " ) ", ",", " , ").Replace(s)))
	}
	taken := 0
	for range count {
		words := append([]string{}, all[r.IntN(len(all))]...)
		for range 1 + r.IntN(3) {
			other := all[r.IntN(len(all))]
			at := r.IntN(len(words))
			switch r.IntN(4) {
			case 0:
				words = append(words[:at:at], words[at+1:]...)
			case 1:
				words = append(words[:at:at], words[at:]...)
			default:
				words[at] = other[r.IntN(len(other))]
			}
			if len(words) == 0 {
				words = []string{"SELECT"}
			}
		}
		text := strings.Join(words, " ")
		if _, err := Compile(text, shop(), Options{}); err == nil {
			taken++
		}
		if err := sound(text); err != nil {
			t.Fatalf("seed %d: %s\n%v", seed, text, err)
		}
	}
	t.Logf("%d of %d texts were accepted", taken, count)
}
