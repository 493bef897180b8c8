package query_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/view/query"
	"github.com/evertdb/evert/pipeline/view/query/querytest"
	"github.com/evertdb/evert/schema"
)

const (
	bankAccounts = 20
	bankSum      = bankAccounts * 100
)

// TestStreamsOfABank lets followers come and go while money moves: at every
// epoch that one is told, the sum is what it was (R11), and nothing that he is
// told goes back (R21), whether he goes on, is told all rows anew, or follows a
// view that was built again.
func TestStreamsOfABank(t *testing.T) {
	const seed, epochs, followers = 23, 400, 5
	v, err := querytest.New(customers(t), query.NewFeed(6000, time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	r := query.NewReader(query.Config{})
	v.Feed().Start(at(0))
	balances := make([]int, bankAccounts)
	var rows []schema.Row
	for i := range balances {
		balances[i] = 100
		rows = append(rows, account(i, 100))
	}
	v.Step(at(1), rows)
	var all sync.WaitGroup
	all.Go(func() { move(v, rand.New(rand.NewPCG(seed, 0)), balances, epochs) })
	for n := range followers {
		all.Go(func() {
			random := rand.New(rand.NewPCG(seed, uint64(n+1)))
			if err := followBank(t, r, v, random, epochs); err != nil {
				t.Errorf("seed %d, follower %d: %v", seed, n, err)
			}
		})
	}
	all.Wait()
	if _, held, watchers := v.Feed().Held(); held > 6000 || watchers != 0 || v.Open.Load() != 0 {
		t.Errorf("I9: %d bytes, %d watchers, %d snapshots", held, watchers, v.Open.Load())
	}
}

func account(id, balance int) schema.Row {
	return customer(id, "", "", strconv.Itoa(balance))
}

// move makes the epochs: of a few transfers, now and then of all accounts, which
// is more than the feed holds, and once of another version.
func move(v *querytest.View, random *rand.Rand, balances []int, epochs int) {
	for n := 2; n <= epochs; n++ {
		transfers := 1 + random.IntN(3)
		if random.IntN(40) == 0 {
			transfers = 60
		}
		touched := map[int]bool{}
		for range transfers {
			a := random.IntN(bankAccounts)
			b := (a + 1 + random.IntN(bankAccounts-1)) % bankAccounts
			balances[a], balances[b] = balances[a]-1, balances[b]+1
			touched[a], touched[b] = true, true
		}
		var rows []schema.Row
		for id := range touched {
			rows = append(rows, account(id, balances[id]))
		}
		e := at(n)
		if n > epochs/2 {
			e.Version = 8
		}
		v.Step(e, rows)
		if random.IntN(5) == 0 {
			runtime.Gosched() // so that followers catch up now and then, and fall behind otherwise
		}
	}
}

// followBank follows, goes away at random epochs and comes back, until the last
// epoch was told.
func followBank(t *testing.T, r *query.Reader, v query.View, random *rand.Rand, epochs int) error {
	m, last := newMirror(), 0
	for last < epochs {
		stay := 1 + random.IntN(30)
		var wrong error
		m.stop = func(m *mirror) bool {
			at, err := strconv.Atoi(m.place[len("s:"):])
			wrong = errors.Join(err, checkBank(m, at, last))
			last = at
			stay--
			return wrong != nil || stay == 0 || at == epochs
		}
		err := r.Follow(t.Context(), "v", v, m.last, query.Wait{}, m.emit)
		if wrong != nil || !errors.Is(err, errEnough) && !isSlow(err) {
			return fmt.Errorf("the stream ended: %w", errors.Join(wrong, err))
		}
		m.pending = map[string]string{} // what had come of a further epoch
	}
	return nil
}

func isSlow(err error) bool { return pipeline.CodeOf(err) == query.CodeSlow }

// checkBank looks at one cut.
func checkBank(m *mirror, at, last int) error {
	sum := 0
	for _, row := range m.rows {
		var a struct{ Spent json.Number }
		if err := json.Unmarshal([]byte(row), &a); err != nil {
			return err
		}
		n, err := strconv.Atoi(a.Spent.String())
		if err != nil {
			return err
		}
		sum += n
	}
	if sum != bankSum || len(m.rows) != bankAccounts {
		return fmt.Errorf("R11 at epoch %d: %d in %d accounts, not %d in %d", at, sum, len(m.rows), bankSum, bankAccounts)
	}
	if at < last {
		return fmt.Errorf("R21 epoch %d after %d", at, last)
	}
	return nil
}
