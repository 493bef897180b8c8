package program

import "testing"

// Two programs of one seed are the same program.
func TestSeed(t *testing.T) {
	for seed := range uint64(50) {
		a, b := New(seed), New(seed)
		if a.SQL != b.SQL || len(a.Transactions) != len(b.Transactions) {
			t.Fatalf("seed %d makes two programs:\n%s\n%s", seed, a.SQL, b.SQL)
		}
	}
}
