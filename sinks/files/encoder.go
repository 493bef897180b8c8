package files

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/deliver/event"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/schema/avro"
)

// An encoder turns changes of one table version into the bytes of one file.
type encoder interface {
	// append adds a change. After an error nothing of it is there.
	append(c *pipeline.Change, filling bool) error
	// flush ends what is open: the bytes so far are a place to go on from.
	flush() error
	close() error
}

// pending are bytes of a file that are not written yet.
type pending struct{ bytes []byte }

func (p *pending) Write(b []byte) (int, error) {
	p.bytes = append(p.bytes, b...)
	return len(b), nil
}

// newEncoder begins a file, or with continued goes on with one.
func (l *lane) newEncoder(table *schema.Table, name string, continued bool, to *pending) (encoder, error) {
	if l.config.Format == JSONL {
		return &lines{l.events, to}, nil
	}
	sum := sha256.Sum256([]byte(l.config.Owner + "/" + l.manifest.writing() + "/" + name))
	c, err := avro.NewContainer(table, to, avro.ContainerOptions{Topic: l.config.Origins[l.number].Topic, Compression: l.config.Compression,
		Sync: [16]byte(sum[:16]), Block: l.config.Block, Continued: continued})
	return &blocks{Container: c}, err
}

// lines are events, a line each.
type lines struct {
	events *event.Encoder
	to     *pending
}

func (l *lines) append(c *pipeline.Change, filling bool) error {
	l.to.bytes = append(l.events.Append(l.to.bytes, c, filling), '\n')
	return nil
}

func (l *lines) flush() error { return nil }
func (l *lines) close() error { return nil }

// blocks are those of an Avro container.
type blocks struct {
	*avro.Container
	one avro.Delivered
}

func (b *blocks) append(c *pipeline.Change, filling bool) error {
	b.one = avro.Delivered{Row: c.After, Key: c.After, Partition: c.Partition, Offset: int64(c.Offset), Filling: filling}
	if c.After == nil {
		b.one.Key = c.Before
	}
	if c.Tx != nil {
		b.one.Seq, b.one.Native, b.one.Life = c.Tx.Position.Seq, c.Tx.Position.Native, c.Tx.Incarnation
	}
	return b.Append(&b.one)
}

func (b *blocks) flush() error { return b.Flush() }
func (b *blocks) close() error { return b.Close() }

// shapeOf names what the rows of a table version are: a file holds one shape.
func (l *lane) shapeOf(table *schema.Table) (string, error) {
	if l.shaped == table {
		return l.shape, nil
	}
	text := ""
	if l.config.Format == Avro {
		var err error
		if text, err = avro.ContainerSchema(table, l.config.Origins[l.number].Topic); err != nil {
			return "", err
		}
	} else {
		for i := range table.Columns {
			c := &table.Columns[i]
			text += fmt.Sprintf("%q %q %v %v\n", c.Name, c.Type.Name, c.Type.Kind, table.IsKey(i))
		}
	}
	sum := sha256.Sum256([]byte(text))
	l.shaped, l.shape = table, hex.EncodeToString(sum[:8])
	return l.shape, nil
}
