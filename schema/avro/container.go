package avro

import (
	"fmt"
	"io"

	"github.com/hamba/avro/v2"
	"github.com/hamba/avro/v2/ocf"

	"github.com/evertdb/evert/schema"
)

// A Container writes changes of one table version as an Avro object container
// file: a header with the schema, then blocks of changes, each with the file's
// sync marker behind it. One goroutine uses it.
//
//	Change{op, partition, offset, seq, native, incarnation, filling, row, key}
//
// row is null for a delete, and otherwise the record of the row envelope; key is
// that of the record's key. The file's schema says so in full, with Evert's
// properties on each column.
type Container struct {
	codec  *Codec
	schema string
	out    *headless
	ocf    *ocf.Encoder
	one    []byte
}

// ContainerOptions say how a file is written.
type ContainerOptions struct {
	Topic       string
	Compression string   // null, deflate, snappy or zstandard
	Sync        [16]byte // the file's marker; with the same one a file can be continued
	Block       int      // bytes of a block before compression
	Continued   bool     // the file has its header, and blocks of this schema and marker
}

// A Delivered is one change of a file.
type Delivered struct {
	Row, Key  schema.Row // Key is a row of which the key's columns are looked at; Row is nil for a delete
	Partition int32
	Offset    int64
	Seq       uint64
	Native    string
	Life      uint64 // the incarnation of the topic; 0 if it is not known
	Filling   bool
}

// NewContainer begins a file, or goes on with one. Nothing is written that out
// has not been given when Flush returns.
func NewContainer(t *schema.Table, out io.Writer, o ContainerOptions) (*Container, error) {
	codec, err := Compile(t, Options{Topic: o.Topic, Envelope: Row})
	if err != nil {
		return nil, err
	}
	text, err := changeText(t, o.Topic)
	if err != nil {
		return nil, err
	}
	c := &Container{codec: codec, schema: text, out: &headless{Writer: out, mute: o.Continued}}
	c.ocf, err = ocf.NewEncoder(text, c.out, ocf.WithCodec(ocf.CodecName(o.Compression)), ocf.WithSyncBlock(o.Sync), ocf.WithBlockLength(0), ocf.WithBlockSize(o.Block),
		ocf.WithEncoderSchemaCache(&avro.SchemaCache{}), ocf.WithSchemaMarshaler(func(avro.Schema) ([]byte, error) { return []byte(text), nil }))
	if err != nil {
		return nil, fmt.Errorf("table %s: a container file cannot be begun: %w", t, err)
	}
	c.out.mute = false
	return c, nil
}

// ContainerSchema is the schema of the files of a table version.
func ContainerSchema(t *schema.Table, topic string) (string, error) { return changeText(t, topic) }

// Append adds a change to the open block. After an error nothing of it is there.
func (c *Container) Append(d *Delivered) error {
	op, row := "upsert", d.Row
	if row == nil {
		op = "delete"
	}
	b := appendString(c.one[:0], op)
	b = appendLong(appendLong(appendLong(b, int64(d.Partition)), d.Offset), int64(d.Seq))
	if d.Native == "" {
		b = append(b, 0)
	} else {
		b = appendString(append(b, 2), d.Native)
	}
	if d.Life == 0 {
		b = append(b, 0)
	} else {
		b = appendString(append(b, 2), fmt.Sprintf("%016x", d.Life))
	}
	b = append(b, flag(d.Filling))
	b, err := c.codec.appendImage(b, row)
	if err != nil {
		return err
	}
	if b, err = c.codec.AppendKey(b, d.Key); err != nil {
		return err
	}
	c.one = b
	_, err = c.ocf.Write(b)
	return err
}

func flag(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// Flush ends the open block: what lies before is whole, and a place to go on from.
func (c *Container) Flush() error { return c.ocf.Flush() }

// Close frees the container. What was not flushed is not written.
func (c *Container) Close() error {
	c.out.mute = true
	return c.ocf.Close()
}

// headless leaves out what is written while it is mute.
type headless struct {
	io.Writer
	mute bool
}

func (h *headless) Write(p []byte) (int, error) {
	if h.mute {
		return len(p), nil
	}
	return h.Writer.Write(p)
}

// changeText gives the schema of a file. One dialect writes both records, because
// a named type is spelled out only the first time in a schema.
func changeText(t *schema.Table, topic string) (string, error) {
	names, err := fieldNames(t)
	if err != nil {
		return "", err
	}
	o := &Options{Topic: topic, Envelope: Row}
	d := &dialect{envelope: Row}
	row, _, err := d.rowText(t, o, names)
	if err != nil {
		return "", err
	}
	d.key = true
	key, _, err := d.keyText(t, o, names)
	if err != nil {
		return "", err
	}
	return record("Change", namespace(topic), []string{
		required("op", "string"), required("partition", "int"), required("offset", "long"), required("seq", "long"), optional("native", "string"), optional("incarnation", "string"),
		required("filling", "boolean"), `{"name":"row","type":["null",` + row + `],"default":null}`, `{"name":"key","type":` + key + `}`,
	}, ""), nil
}
