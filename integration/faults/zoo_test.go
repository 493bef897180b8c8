//go:build unix

package faults

import (
	"testing"

	"github.com/evertdb/evert/integration/harness"
	"github.com/evertdb/evert/integration/harness/proxy"
)

// O10 what else networks do to the connections of a source, one after the other: each is
// noticed where it has to be, is outlived, and the daemon goes on by itself when it is over.
// TestBlackhole tells of silence in both directions.
func TestNetworkZoo(t *testing.T) {
	t.Parallel()
	p, s, d, end := behindProxy(t)
	noticed := func() {
		d.AwaitStatus("noticing it", func(st harness.Status) bool { return st.State != "streaming" })
	}
	struck := func() { p.AwaitStruck(t, 5, harness.Patience) }
	for _, fault := range []struct {
		name string
		do   func()
		then func() // returns when it has had its effect
	}{
		{"one way: the server is not heard", func() { p.Swallow(proxy.ToClient) }, noticed},
		{"one way: the server hears nothing", func() { p.Swallow(proxy.ToServer) }, noticed},
		{"slow: a few bytes at a time", p.Trickle, struck},
		{"MTU: what is large vanishes", func() { p.Shrink(100) }, noticed},
		{"cut in the middle of a message", func() { p.CutBehind(3000) }, func() { p.AwaitStruck(t, 2, harness.Patience) }},
	} {
		before := p.Accepted()
		during(t, d, func() {
			fault.do()
			fault.then()
			s.AwaitTransactions(20)
			p.Pass()
			goesOn(s, d)
		})
		if n := p.Accepted() - before; n > 100 {
			t.Errorf("O10 %s: %d connections: a storm", fault.name, n)
		}
		t.Logf("O10 %s: outlived, with %d connections", fault.name, p.Accepted()-before)
	}
	end()
}
