package files

import (
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/deliver"
	"github.com/evertdb/evert/pipeline/deliver/event"
)

// The codes of refusals.
const (
	// CodeFull: the disk has no room.
	CodeFull pipeline.Code = "FILES_DISK_FULL"
	// CodeAccess: the folder cannot be read or written.
	CodeAccess pipeline.Code = "FILES_ACCESS"
	// CodeTaken: the folder is another sink's.
	CodeTaken pipeline.Code = "FILES_TAKEN"
	// CodeManifest: the manifest is damaged.
	CodeManifest pipeline.Code = "FILES_MANIFEST"
	// CodeRow: a row has no Avro form.
	CodeRow pipeline.Code = "FILES_ROW"
)

// Format is what files hold.
type Format string

// The formats of files.
const (
	JSONL Format = "jsonl"
	Avro  Format = "avro"
)

// Config says what a target writes, and where.
type Config struct {
	Name    string // the sink's, for messages
	Owner   string // names the sink among all that could use the folder
	Path    string
	Origins []event.Origin // of the topics, by their numbers

	Format      Format        // JSONL if empty
	Compression string        // of Avro blocks: null, deflate, snappy or zstandard; null if empty
	RotateBytes int64         // 128 MiB if 0
	RotateAfter time.Duration // an hour if 0
	Retention   time.Duration // of finished files; 0: for ever
	Block       int           // bytes that are gathered before they are written; 256 KiB if 0

	Rejects deliver.Rejects
}

func (c Config) withDefaults() Config {
	if c.Format == "" {
		c.Format = JSONL
	}
	if c.Compression == "" {
		c.Compression = "null"
	}
	if c.RotateBytes <= 0 {
		c.RotateBytes = 128 << 20
	}
	if c.RotateAfter <= 0 {
		c.RotateAfter = time.Hour
	}
	if c.Block <= 0 {
		c.Block = 256 << 10
	}
	if c.Rejects == nil {
		c.Rejects = deliver.Stop{}
	}
	return c
}
