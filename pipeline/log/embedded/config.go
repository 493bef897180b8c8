package embedded

import (
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Config says where a log lies and what it may use. The zero value of a field
// takes the default.
type Config struct {
	Dir      string // the log's own directory; made if missing
	ReadOnly bool   // nothing is written; there is no Writer and no Admin that changes

	FS  vfs.FS           // vfs.Default
	Now func() time.Time // the log's clock; time.Now

	MemTable  int64 // bytes of one memtable, of which there are at most three; 16 MiB
	Load      int64 // a commit of this many bytes goes into sorted tables, in loads as large, of which each writer has two; 8 MiB
	Cache     int64 // bytes of blocks kept for reading; 8 MiB
	OpenFiles int   // files of the log held open; 500

	Reserve  int64         // bytes of the disk that Append leaves free; 64 MiB, negative is none
	DiskPoll time.Duration // how often a full disk is looked at again; 200 ms
	LockWait time.Duration // how long to wait for a directory that another process holds; none

	SweepRate  int64         // bytes a second that the sweep reads and writes; 16 MiB, negative stops it
	SweepEvery time.Duration // how often the sweep looks for work; 30 s

	Events Events
}

// Events are told what happens inside, on the log's goroutines; they must not
// block and not call the log. Any of them may be nil.
type Events struct {
	// Full tells that the log has no room, and that it has some again.
	Full func(full bool)
	// Failed tells that the log cannot go on, once: every later call returns
	// err. What was committed is on the disk; the process has to start again.
	Failed func(err error)
	// Swept tells of a finished pass over a partition.
	Swept func(s Swept)
	// Trouble tells of something that mends itself or is tried again.
	Trouble func(text string)
}

// Swept describes what a pass of the sweep did.
type Swept struct {
	Topic     string
	Partition int32
	Scanned   int64 // index entries looked at
	Removed   int64 // records taken away
	Took      time.Duration
}

func (c Config) withDefaults() Config {
	or(&c.FS, vfs.Default)
	if c.Now == nil {
		c.Now = time.Now
	}
	or(&c.MemTable, 16<<20)
	or(&c.Load, 8<<20)
	or(&c.Cache, 8<<20)
	or(&c.OpenFiles, 500)
	or(&c.Reserve, 64<<20)
	or(&c.DiskPoll, 200*time.Millisecond)
	or(&c.SweepRate, 16<<20)
	or(&c.SweepEvery, 30*time.Second)
	return c
}

// or sets *v to the default if it is zero.
func or[T comparable](v *T, otherwise T) {
	var zero T
	if *v == zero {
		*v = otherwise
	}
}

func (e *Events) full(full bool) {
	if e.Full != nil {
		e.Full(full)
	}
}

func (e *Events) failed(err error) {
	if e.Failed != nil {
		e.Failed(err)
	}
}

func (e *Events) swept(s Swept) {
	if e.Swept != nil {
		e.Swept(s)
	}
}

func (e *Events) trouble(text string) {
	if e.Trouble != nil {
		e.Trouble(text)
	}
}
