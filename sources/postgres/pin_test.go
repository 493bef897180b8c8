package postgres

import (
	"sync"
	"testing"
)

// Several pins are taken at once, and one right behind another: the server may still have
// the slot of the one before.
func TestPinsAtOnce(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	var all sync.WaitGroup
	for range 3 {
		c := d.config()
		c.SpillDir = t.TempDir()
		all.Go(func() {
			p, err := Take(t.Context(), c)
			if err != nil {
				t.Error(err)
				return
			}
			p.Close()
		})
	}
	all.Wait()
}
