package outlets

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/schema/registry"
	"github.com/evertdb/evert/sources/postgres/pgserver/pgtest"
)

var pg pgtest.Shared

func TestMain(m *testing.M) { os.Exit(pg.Run(m)) }

// TestPostgresCheckUnseen: a check that could not see the columns of the rows says so,
// beside what it found at the sink's server (I8). That no row was written yet is no fault.
func TestPostgresCheckUnseen(t *testing.T) {
	broken := errors.New("the registry is away")
	url := pg.Database(t)
	config, err := configs.Parse("evert.yaml", []byte(fmt.Sprintf(`name: unseen
sources: {shop: {mysql: {url: "mysql://u@localhost/d", tables: [d.t]}}}
sinks: {bank: {from: shop.d.t, postgres: {url: %q, table: public.t}}}
`, url)), os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	s := config.Sinks["bank"]
	o := postgresOutlet{Place{Config: config, Name: "bank", Topics: []string{"t"}}}
	for _, c := range []struct {
		err   error
		steps []configs.Transform
		want  error
	}{
		{broken, nil, broken},
		{registry.ErrNotFound, nil, nil},
		{broken, make([]configs.Transform, 1), nil}, // they are not asked for
	} {
		o.Table = func(context.Context) (*schema.Table, error) { return nil, c.err }
		s.Transforms = c.steps
		found, err := o.Check(t.Context())
		if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%v with %d steps: %v", c.err, len(c.steps), err)
		}
		if err != nil && !strings.Contains(err.Error(), "columns of t") {
			t.Errorf("it does not say what could not be seen: %v", err)
		}
		if len(found) == 0 || pipeline.Failing(found) != nil {
			t.Errorf("at the server is found %v", found)
		}
	}
}
