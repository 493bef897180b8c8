package configs

import (
	"strings"
	"time"
)

// PostgresSink is a table that holds what a table topic or view holds.
type PostgresSink struct {
	// As for a source.
	URL Secret `yaml:"url" required:"true"`
	// The password, instead of one inside url; it needs no percent-encoding.
	Password Secret `yaml:"password"`
	// Allows an sslmode weaker than verify-full to a server that is not on this machine.
	Insecure bool `yaml:"insecure"`
	// The table, as schema.table. It is made if it is not there.
	Table TablePattern `yaml:"table" required:"true"`
	// The table that holds where each sink stands, as schema.table; evert_sinks beside the table if left out.
	Positions TablePattern `yaml:"positions"`
	// Takes over a table that holds rows of somebody else: all of them are replaced.
	Adopt bool `yaml:"adopt"`
	// What happens to a column that is gone from the topic: it is kept, and NULL in rows written from then on, or dropped. Of a table that Evert did not make every column is kept.
	OnColumnGone string `yaml:"on_column_gone" enum:"keep,drop" default:"keep"`
	// Rows of a step that are held in memory; what a larger transaction has beyond goes to a temporary table at the server.
	BufferBytes Size `yaml:"buffer_bytes" default:"16MiB" min:"64KiB" max:"1GiB"`
	// How long a lock is waited for, before the step is tried again.
	LockWait time.Duration `yaml:"lock_wait" default:"10s" min:"10ms" max:"10m"`
}

// checkExact refuses a pattern where one table has to be named.
func (d *decoder) checkExact(p TablePattern, path ...string) {
	if _, _, ok := p.Exact(); !ok {
		d.add(d.at(path...), badTable, strings.Join(path, ".")+" is a pattern, and one table has to be named", "name one table, as schema.table")
	}
}
