package deliver

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/evertdb/evert/pipeline/intake"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/schema/avro"
	"github.com/evertdb/evert/schema/registry"
)

// Rows come in the newest shape that the registry has: those of an earlier one are
// read by the names of their columns. A schema that was not seen before may be a
// newer shape.

// errShape says that the shape in which rows come has changed.
var errShape = errors.New("a newer shape")

// refresh takes the newest shape of the topic's rows from the registry, and
// reports whether it is another.
func (f *feed) refresh(ctx context.Context) error {
	id, t, err := Shape(ctx, f.Registry, f.topic)
	if err != nil {
		return fmt.Errorf("look up the columns of %s: %w", f.topic, err)
	}
	f.turn(id, t)
	return nil
}

// turn makes t the shape in which rows come.
func (f *feed) turn(id int, t *schema.Table) (changed bool) {
	f.shapeID = max(f.shapeID, id)
	if f.table != nil && slices.EqualFunc(f.table.Columns, t.Columns, sameColumn) && slices.Equal(f.table.Key, t.Key) {
		return false
	}
	f.table, f.tell = t, true
	f.decoder.Keys = len(t.Key)
	f.decoder.Forget()
	return true
}

func sameColumn(a, b schema.Column) bool {
	return a.Name == b.Name && a.Nullable == b.Nullable && a.Collation == b.Collation && sameType(&a.Type, &b.Type)
}

func sameType(a, b *schema.Type) bool {
	if (a.Elem == nil) != (b.Elem == nil) || a.Elem != nil && !sameType(a.Elem, b.Elem) || !slices.Equal(a.Labels, b.Labels) {
		return false
	}
	return a.Kind == b.Kind && a.Name == b.Name && a.Bits == b.Bits && a.Precision == b.Precision && a.Scale == b.Scale &&
		a.Zoned == b.Zoned && a.Binary == b.Binary && a.Opaque == b.Opaque
}

// mapTo says where the columns of the newest shape lie in another version, and
// finds out whether that is a newer one.
func (f *feed) mapTo(ctx context.Context, id int, version *schema.Table) (from []int, err error) {
	if id > f.shapeID {
		was := f.table
		if err := f.refresh(ctx); err != nil {
			return nil, err
		}
		if id > f.shapeID { // it is not the registry's newest for others yet
			newer := *version
			newer.Key = f.table.Key
			if newer.Key, err = keyOf(f.table, version); err != nil {
				return nil, err
			}
			f.turn(id, &newer)
		}
		if f.table != was {
			return nil, errShape
		}
	}
	for i := range f.table.Columns {
		c, err := f.column(version, &f.table.Columns[i])
		if err != nil {
			return nil, err
		}
		from = append(from, c)
	}
	return from, nil
}

// keyOf finds the key's columns in another version of a table.
func keyOf(t, version *schema.Table) (key []int, err error) {
	for _, i := range t.Key {
		c := version.Column(t.Columns[i].Name)
		if c < 0 {
			return nil, fmt.Errorf("key column %s is not in the value", schema.QuotePart(t.Columns[i].Name))
		}
		key = append(key, c)
	}
	return key, nil
}

// column finds a column of the newest shape in another version. One that came
// later is NULL in a record from before.
func (f *feed) column(version *schema.Table, want *schema.Column) (int, error) {
	i := version.Column(want.Name)
	if i < 0 && !want.Nullable {
		return 0, f.columnChanged(f.topic, want.Name, "it was added without NULLs, and a record from before does not say what it holds")
	}
	if i >= 0 && !intake.Fits(&version.Columns[i].Type, &want.Type) {
		return 0, f.columnChanged(f.topic, want.Name, fmt.Sprintf("it is %s in a record, and %s by now", version.Columns[i].Type.Name, want.Type.Name))
	}
	return i, nil
}

// Shape gives the newest shape of a topic's rows, and the id of its schema. It is
// registry.ErrNotFound until the first was written.
func Shape(ctx context.Context, r registry.Registry, topic string) (id int, t *schema.Table, err error) {
	id, value, err := r.Latest(ctx, topic+"-value")
	if err != nil {
		return 0, nil, err
	}
	_, key, err := r.Latest(ctx, topic+"-key")
	if err != nil {
		return 0, nil, err
	}
	codec, err := avro.ParseCodec(key, value)
	if err != nil {
		return 0, nil, err
	}
	own := *codec.Table()
	own.Key = slices.Clone(own.Key)
	return id, &own, nil
}
