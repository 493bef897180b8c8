//go:build unix

package faults

import (
	"errors"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/evertdb/evert/integration/harness"
	"github.com/evertdb/evert/integration/harness/check"
	"github.com/evertdb/evert/integration/harness/scene"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/log/embedded"
	"github.com/evertdb/evert/pipeline/loopback"
	"github.com/evertdb/evert/schema/registry"
	"github.com/evertdb/evert/schema/registry/rest"
)

// outage is how long a registry is gone.
func outage() time.Duration {
	if harness.Full() {
		return 10 * time.Minute
	}
	return 4 * time.Second
}

// A keeper is a registry that can be taken away and comes back at its address.
type keeper struct {
	testing.TB
	handler http.Handler
	address string
	server  *http.Server
	served  chan error
}

func newKeeper(t *testing.T) *keeper {
	t.Helper()
	l, err := embedded.Open(embedded.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	local, err := registry.Open(t.Context(), &log.Store{Log: l, Topic: "schemas"})
	if err != nil {
		t.Fatal(err)
	}
	port, err := loopback.Take()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(port.Close)
	k := &keeper{TB: t, handler: rest.Handler(local), address: port.Address()}
	k.start()
	t.Cleanup(k.stop)
	return k
}

// start listens, each time at the same address.
func (k *keeper) start() {
	k.Helper()
	l, err := net.Listen("tcp", k.address)
	if err != nil {
		k.Fatal(err)
	}
	k.server, k.served = &http.Server{Handler: k.handler}, make(chan error, 1)
	go func(server *http.Server, served chan error) { served <- server.Serve(l) }(k.server, k.served)
}

// stop ends it at once, with the connections that it has. It may be called again.
func (k *keeper) stop() {
	if k.server == nil {
		return
	}
	_ = k.server.Close()
	if err := <-k.served; !errors.Is(err, http.ErrServerClosed) {
		k.Error(err)
	}
	k.server = nil
}

// away takes the registry away for some time while something happens, and brings
// it back.
func (k *keeper) away(t *testing.T, d *harness.Daemon, meanwhile func()) {
	t.Helper()
	before := d.Count(anyLine)
	k.stop()
	over := time.After(outage())
	meanwhile()
	<-over
	k.start()
	most := mostLines + 2*int(outage().Seconds()) // the workload's large transactions are told too
	if n := d.Count(anyLine) - before; n > most {
		t.Errorf("%d lines of log while the registry was away, more than %d; the last:\n%s", n, most, d.Last(20))
	}
}

// K23 the registry is gone, for ten minutes in a long run. Tables whose schemas
// are known go on, also when the source has to connect anew; a table that changes
// holds the source, which says why and goes on by itself when the registry is
// back. No row is lost, and each has the schema that it was written with.
func TestRegistryAway(t *testing.T) {
	t.Parallel()
	k := newKeeper(t)
	s := open(t, impatient(t), harness.Options{More: "registry: {url: \"http://" + k.address + "\"}\n"})
	s.Workload.Pace = max(50*time.Millisecond, outage()/1200) // a busy machine too has caught up with an outage in time
	s.SQL(s.Database, "CREATE TABLE changing (id int PRIMARY KEY, v text)", "ALTER TABLE changing OWNER TO capture")
	stop := s.Traffic()
	d := s.Run()
	d.AwaitStatus("the stream", harness.Flowing(5))

	t.Log("without DDL")
	k.away(t, d, func() {
		s.AwaitTransactions(20)
		goesOn(s, d)
		before := sender(s)
		s.SQL(s.Database, "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active")
		d.AwaitStatus("another connection", func(harness.Status) bool { n := sender(s); return n != 0 && n != before })
		s.AwaitTransactions(20)
		goesOn(s, d)
	})

	t.Log("with DDL")
	k.away(t, d, func() { changeWhileAway(t, s, d) })
	goesOn(s, d)
	d.AwaitStatus("no word of the registry", func(st harness.Status) bool { return !st.Says("REGISTRY_UNREACHABLE") })
	checkMemory(t, d)
	stop()
	s.MustEnd(d)
	var problems check.Problems
	if rows, err := check.Tables(s.World, &problems, "changing"); err != nil || rows != 2 || problems.Err() != nil {
		t.Errorf("%d rows of the table that changed: %v, %v", rows, err, problems.Err())
	}
}

// changeWhileAway alters a table and waits until the source is held and says so.
func changeWhileAway(t *testing.T, s *scene.Scene, d *harness.Daemon) {
	t.Helper()
	s.SQL(s.Database, "INSERT INTO changing VALUES (1, 'before')")
	goesOn(s, d)
	s.SQL(s.Database, "ALTER TABLE changing ADD COLUMN w text", "INSERT INTO changing VALUES (2, 'after', 'new')")
	change := scene.Ask[string](s, "SELECT pg_current_wal_insert_lsn()::text")
	d.AwaitStatus("the source waiting for the registry", func(st harness.Status) bool { return st.Says("REGISTRY_UNREACHABLE") })
	s.AwaitTransactions(20)
	now := d.AwaitStatus("its waiting still", func(st harness.Status) bool { return st.Says("REGISTRY_UNREACHABLE") })
	if harness.LSN(now.Position) >= harness.LSN(change) { // what lies before the change may come late
		t.Errorf("a source that is held went to %s, behind the change before %s", now.Position, change)
	}
}
