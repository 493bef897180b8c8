package binlogvalue

import (
	"fmt"
	"sync"
	"testing"
)

// Columns are compiled by one goroutine while another makes character sets known.
func TestCharsetsOfManyGoroutines(t *testing.T) {
	t.Parallel()
	all := NewCharsets()
	var group sync.WaitGroup
	group.Go(func() {
		for i := range 20_000 {
			all.Add(fmt.Sprintf("set%d", i%100), &Charset{})
		}
	})
	for range 20_000 {
		if _, err := Compile([]Column{{Name: "v", Type: Varchar, Size: 20, Charset: "utf8mb4", MaxLen: 4}}, all, ZeroNull); err != nil {
			t.Fatal(err)
		}
	}
	group.Wait()
}
