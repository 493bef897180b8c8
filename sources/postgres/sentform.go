package postgres

import (
	"encoding/hex"
	"fmt"
	"io"

	"github.com/evertdb/evert/sources/postgres/pgvalue"
)

// A sentForm is how the bytes of a value follow from those that were sent.
type sentForm uint8

const (
	other     sentForm = iota // by its codec alone
	plain                     // they are the same
	versioned                 // behind a byte that says 1
	hexed                     // \x and pairs of hex digits
	bitwise                   // digits, each sent as a bit behind their number
)

func formOf(f field) sentForm {
	switch f.codec.Op {
	case pgvalue.Text, pgvalue.Enum, pgvalue.XML, pgvalue.JSON:
		return plain
	case pgvalue.Versioned, pgvalue.JSONB:
		if f.binary {
			return versioned
		}
		return plain
	case pgvalue.Opaque:
		if !f.binary {
			return plain
		}
	case pgvalue.Bits:
		if f.binary {
			return bitwise
		}
		return plain
	case pgvalue.Bytea:
		if !f.binary {
			return hexed
		}
		return plain
	}
	return other
}

// isText reports whether the bytes are those of a text of the database.
func (s sentForm) isText(c pgvalue.Codec) bool {
	return s == versioned || s == plain && c.Op != pgvalue.Bytea
}

type unwrapped struct {
	io.Reader
	io.Closer
}

// unwrapped gives the bytes of the value out of those that were sent.
func (l *largeValue) unwrapped(r io.Reader) (io.Reader, error) {
	var mark [2]byte
	switch l.form {
	case versioned:
		if _, err := io.ReadFull(r, mark[:1]); err != nil || mark[0] != 1 {
			return nil, l.malformed()
		}
		return r, nil
	case hexed:
		if _, err := io.ReadFull(r, mark[:]); err != nil || string(mark[:]) != `\x` || l.size%2 != 0 {
			return nil, l.malformed()
		}
		return hex.NewDecoder(r), nil
	case bitwise:
		return pgvalue.BitReader(r, l.size)
	case plain:
		return r, nil
	}
	return nil, fmt.Errorf("a large %s has no bytes of its own", l.field.codec.Op)
}

func (l *largeValue) malformed() error {
	return fmt.Errorf("malformed %s of %d bytes", l.field.codec.Op, l.size)
}
