package aggregate_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/evertdb/evert/pipeline/scalar"
	"github.com/evertdb/evert/pipeline/scalar/aggregate"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/sources/postgres/pgserver/pgtest"
)

var pg pgtest.Shared

func TestMain(m *testing.M) { os.Exit(pg.Run(m)) }

var names = []string{"count", "sum", "avg", "bool_and", "bool_or", "var_samp", "var_pop", "stddev", "stddev_pop"}

var values = map[scalar.ID][]string{
	scalar.Int2:     {"0", "1", "-1", "32767", "-32768", "NULL"},
	scalar.Int4:     {"0", "1", "-1", "7", "2147483647", "-2147483648", "NULL"},
	scalar.Int8:     {"0", "1", "3", "-9223372036854775808", "9223372036854775807", "NULL"},
	scalar.Numeric:  {"0", "0.00", "1", "1.5", "-1.50", "1e-20", "99999999999999999999.9", "0.123456789012345678901234567890", "7", "NULL", "-3.14"},
	scalar.Float8:   {"0", "1", "0.5", "-0.25", "1048576", "-3", "NULL"}, // sums of these are exact in any order
	scalar.Float4:   {"0", "1", "0.5", "-0.25", "1024", "-3", "NULL"},
	scalar.Interval: {"1 day", "-1 mon", "04:05:06.7", "1 year 2 mons 3 days", "-00:00:01", "NULL", "0"},
	scalar.Bool:     {"t", "f", "NULL", "t"},
}

var rare = map[scalar.ID][]string{
	scalar.Numeric: {"NaN", "Infinity", "-Infinity"}, scalar.Float8: {"NaN", "Infinity", "-Infinity", "-0"}, scalar.Float4: {"NaN", "-Infinity"},
}

// What is left after rows came and went is what Postgres makes of the rows left.
func TestAgainstPostgres(t *testing.T) {
	rounds := 15
	if os.Getenv("EVERT_FULL") != "" {
		rounds = 400
	}
	seed := seedOf(t)
	rng := rand.New(rand.NewPCG(seed, 2))
	conn, err := pgx.Connect(t.Context(), pg.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	asked := 0
	for id, plain := range values {
		for _, name := range names {
			a, err := aggregate.Lookup(name, id.Type())
			if err != nil {
				continue
			}
			for range rounds {
				left, here := story(t, rng, &a, id, plain)
				if there := ask(t, conn, name, id, left); !agree(there, here) {
					t.Errorf("%s(%s) of %s: Postgres %s, here %s", name, id, left, there, here)
				}
				asked++
			}
		}
	}
	t.Logf("%d aggregates of rows that came and went", asked)
}

func agree(there, here string) bool {
	return there == here || strings.HasPrefix(there, "ERROR") && strings.HasPrefix(here, "ERROR")
}

func seedOf(t *testing.T) uint64 {
	seed := rand.Uint64()
	if s := os.Getenv("EVERT_SEED"); s != "" {
		seed, _ = strconv.ParseUint(s, 10, 64)
	}
	t.Logf("EVERT_SEED=%d", seed)
	return seed
}

// story adds rows, takes some away, writes and reads the state in between, and
// gives the rows that are left and the result.
func story(t *testing.T, rng *rand.Rand, a *aggregate.Aggregate, id scalar.ID, plain []string) (left []string, result string) {
	state := a.New()
	list := plain
	if rng.IntN(4) == 0 {
		list = append(append([]string{}, plain...), rare[id]...)
	}
	for range rng.IntN(12) {
		if len(left) > 0 && rng.IntN(3) == 0 {
			i := rng.IntN(len(left))
			put(t, state, a, id, left[i], -1)
			left = append(left[:i], left[i+1:]...)
			continue
		}
		text := list[rng.IntN(len(list))]
		weight := 1 + rng.IntN(2)
		put(t, state, a, id, text, int64(weight))
		for range weight {
			left = append(left, text)
		}
		state = again(t, state, a)
	}
	fresh := a.New()
	for _, text := range left {
		put(t, fresh, a, id, text, 1)
	}
	if !bytes.Equal(fresh.Append(nil), state.Append(nil)) {
		t.Errorf("%s(%s): the state of %v depends on what went before", a.Name, id, left)
	}
	v, err := state.Result()
	if err != nil {
		return left, "ERROR " + err.Error()
	}
	if v.IsNull() {
		return left, "NULL"
	}
	return left, string(a.Result.AppendText(nil, v))
}

func put(t *testing.T, s aggregate.State, a *aggregate.Aggregate, id scalar.ID, text string, weight int64) {
	v := schema.Null()
	if text != "NULL" {
		c, err := scalar.Cast(scalar.Unknown.Type(), id.Type(), scalar.Explicit)
		if err != nil {
			t.Fatal(err)
		}
		if v, err = c.Eval([]schema.Value{schema.Text([]byte(text))}); err != nil {
			t.Fatal(err)
		}
		c, err = scalar.Cast(id.Type(), a.Arg, scalar.Implicit)
		if err != nil {
			t.Fatal(err)
		}
		if v, err = c.Eval([]schema.Value{v}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Add(v, weight); err != nil {
		t.Fatal(err)
	}
}

// again gives the state as it is read back.
func again(t *testing.T, s aggregate.State, a *aggregate.Aggregate) aggregate.State {
	back := a.New()
	if err := back.Read(s.Append(nil)); err != nil {
		t.Fatal(err)
	}
	return back
}

func ask(t *testing.T, conn *pgx.Conn, name string, id scalar.ID, rows []string) string {
	list := make([]*string, len(rows))
	for i := range rows {
		if rows[i] != "NULL" {
			list[i] = &rows[i]
		}
	}
	var answer string
	err := conn.QueryRow(t.Context(), fmt.Sprintf(
		`SELECT CASE WHEN a IS NULL THEN 'NULL' ELSE format('%%s', a) END FROM (SELECT %s(x::%s) AS a FROM unnest($1::text[]) AS u(x)) q`, name, id),
		list).Scan(&answer)
	if err != nil {
		return "ERROR " + err.Error()
	}
	return answer
}

// A float sum is the nearest double to the exact sum, in whatever order and
// company it came to be.
func TestFloatSumsAreExact(t *testing.T) {
	seed := seedOf(t)
	rng := rand.New(rand.NewPCG(seed, 3))
	a, err := aggregate.Lookup("sum", scalar.Float8.Type())
	if err != nil {
		t.Fatal(err)
	}
	for range 300 {
		state := a.New()
		exact := new(big.Float).SetPrec(2400)
		for range 1 + rng.IntN(20) {
			f := math.Float64frombits(rng.Uint64())
			if math.IsNaN(f) || math.IsInf(f, 0) || math.Abs(f) > 1e307 {
				continue
			}
			noise := schema.Float(float64(rng.IntN(1000)) * 1.1)
			_ = state.Add(noise, 3)
			_ = state.Add(schema.Float(f), 1)
			_ = state.Add(noise, -3)
			exact.Add(exact, big.NewFloat(f))
		}
		want, _ := exact.Float64()
		v, err := state.Result()
		if err != nil || !v.IsNull() && v.Float() != want {
			t.Fatalf("sum is %v, %v; want %v", v.Float(), err, want)
		}
	}
}

func TestWhatThereIsNot(t *testing.T) {
	var refused *scalar.Refused
	if _, err := aggregate.Lookup("stddev", scalar.Float8.Type()); !errors.As(err, &refused) || refused.Mend == "" {
		t.Errorf("stddev of floats: %v", err)
	}
	var state *scalar.Error
	if _, err := aggregate.Lookup("sum", scalar.Text.Type()); !errors.As(err, &state) || state.State != "42883" {
		t.Errorf("sum of text: %v", err)
	}
}

// Bytes that no state wrote are refused or read, and never panic.
func FuzzRead(f *testing.F) {
	for _, name := range names {
		f.Add(name, []byte{2, 4, 1, 2})
	}
	f.Fuzz(func(t *testing.T, name string, state []byte) {
		for id := range values {
			a, err := aggregate.Lookup(name, id.Type())
			if err != nil {
				continue
			}
			s := a.New()
			if s.Read(state) != nil {
				continue
			}
			if back := a.New(); back.Read(s.Append(nil)) != nil {
				t.Fatalf("%s(%s) does not read what it wrote", name, id)
			}
			_, _ = s.Result()
		}
	})
}

func BenchmarkAdd(b *testing.B) {
	for _, id := range []scalar.ID{scalar.Int8, scalar.Numeric, scalar.Float8} {
		b.Run(id.String(), func(b *testing.B) {
			a, _ := aggregate.Lookup("sum", id.Type())
			t := id.Type()
			v, _ := scalar.Parse(&t, []byte("12345"))
			if id == scalar.Numeric {
				v = schema.Decimal([]byte("123.45"))
			}
			s := a.New()
			_ = s.Add(v, 1)
			b.ReportAllocs()
			for b.Loop() {
				_ = s.Add(v, 1)
				_ = s.Add(v, -1)
			}
		})
	}
}
