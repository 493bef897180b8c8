//go:build unix

package capture_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"iter"
	"strings"
	"testing"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/capture"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/schema/avro"
)

// An elsewhere is a value that the sink finds only by asking for it.
type elsewhere struct{ value schema.Value }

func (e elsewhere) Size() int64                 { return int64(len(e.value.Ref())) }
func (e elsewhere) Load() (schema.Value, error) { return e.value.Clone(), nil }
func (e elsewhere) Open() (io.ReadCloser, error) {
	if e.value.Kind() == schema.KindArray {
		return nil, fmt.Errorf("an array has no bytes of its own")
	}
	return io.NopCloser(bytes.NewReader(e.value.Ref())), nil
}

func (e elsewhere) Elements() iter.Seq2[schema.Value, error] {
	return func(yield func(schema.Value, error) bool) {
		for _, v := range e.value.Elements() {
			if !yield(v, nil) {
				return
			}
		}
	}
}

// An outside is a value that memory has no room for.
type outside struct{ elsewhere }

func (outside) Load() (schema.Value, error) {
	return schema.Value{}, fmt.Errorf("the value was brought into memory")
}

// aside takes a value out of the new row of a change: the row has no more of it than
// tells that it is too large.
func aside(c pipeline.Change, column int) pipeline.Change {
	v := c.After[column]
	head := bytes.Clone(v.Ref()[:small+1])
	switch v.Kind() {
	case schema.KindBytes:
		c.After[column] = schema.Bytes(head)
	case schema.KindArray:
		c.After[column] = schema.Array(head)
	default:
		c.After[column] = schema.Text(head)
	}
	c.SetAside(false, column, elsewhere{v})
	return c
}

// makeAside is makeLarge with a bound of values that those of these tests are above.
func makeAside(s *large) *large {
	s.config.ValueBytes = small
	return s
}

// A value that is not in memory follows each policy as one that is.
func TestAside(t *testing.T) {
	for policy, check := range policies() {
		for _, f := range []int{2, 100} {
			t.Run(fmt.Sprintf("K03 %s, %d times the limit", policy, f), func(t *testing.T) {
				onBoth(t, policy, func(t *testing.T, s *large) {
					makeAside(s)
					bio := words(f * small)
					s.open()
					s.write(read(orders, order(1, 1)), read(people, person(1, "Ada", "short")))
					s.part()
					s.commit()
					c := create(people, person(2, "Bo", bio))
					s.write(aside(c, 2), create(orders, order(2, 2)))
					s.commit()
					if policy != capture.StopTable && (s.seen[0].Bytes < len(bio) || s.seen[0].Bytes > len(bio)+2*small) {
						t.Errorf("a row of %d bytes is told as one of %d", len(bio), s.seen[0].Bytes)
					}
					check(t, s, bio)
				})
			})
		}
	}
}

// P13: an offloaded value that did not change stays where it lies, and moves when the
// key does (P14).
func TestAsideUnchanged(t *testing.T) {
	onBoth(t, capture.Offload, func(t *testing.T, s *large) {
		makeAside(s)
		bio := words(30 * small)
		s.open()
		c := create(people, person(2, "Bo", bio))
		s.write(aside(c, 2))
		s.commit()
		_, before := lastRaw(t, s, peopleTopic+".offload")
		s.write(update(people, nil, person(2, "Cy", "?")))
		s.commit()
		wantRestored(t, s, "Cy", bio)
		if _, after := lastRaw(t, s, peopleTopic+".offload"); after != before {
			t.Errorf("%d pieces became %d", before, after)
		}
		s.open()
		s.write(update(people, person(2, "Cy", "?"), person(3, "Di", "?")))
		s.commit()
		wantRestored(t, s, "Di", bio)
		s.write(update(people, nil, person(3, "Ed", "short")))
		s.commit()
		if _, row := s.last(peopleTopic); string(row[2].Ref()) != "short" {
			t.Errorf("the row has %d bytes", len(row[2].Ref()))
		}
	})
}

func wantRestored(t *testing.T, s *large, name, bio string) {
	t.Helper()
	r, row := s.last(peopleTopic)
	values, err := log.Restore(context.Background(), s.log, r)
	if err != nil || string(values["bio"]) != bio || string(row[1].Ref()) != name {
		t.Errorf("%s has %d bytes of %d: %v", row[1].Ref(), len(values["bio"]), len(bio), err)
	}
}

// A value that the source was asked for again is not in memory either.
func TestAsideReread(t *testing.T) {
	onBoth(t, capture.Truncate, func(t *testing.T, s *large) {
		makeAside(s)
		bio := words(30 * small)
		s.config.Reread = func(_ context.Context, c *pipeline.Change) (schema.Row, error) {
			now := aside(create(people, person(1, "Ada", bio)), 2)
			c.Aside = now.Aside
			return now.After, nil
		}
		s.open()
		c := create(people, person(1, "Ada", bio))
		s.write(aside(c, 2))
		s.commit()
		_, whole := s.last(peopleTopic)
		s.write(update(people, nil, person(1, "Eve", "?")))
		s.commit()
		r, row := s.last(peopleTopic)
		if cut := header[[]log.Cut](t, r, log.CutHeader); cut[0].SHA256 != sum(bio) || cut[0].Bytes != int64(len(bio)) {
			t.Errorf("the header says %+v", cut)
		}
		if string(row[1].Ref()) != "Eve" || !bytes.Equal(row[2].Ref(), whole[2].Ref()) {
			t.Errorf("%s has %d bytes, was cut to %d before", row[1].Ref(), len(row[2].Ref()), len(whole[2].Ref()))
		}
	})
}

// An old row that is too large goes, and the new one stays.
func TestAsideOldRow(t *testing.T) {
	onBoth(t, capture.StopTable, func(t *testing.T, s *large) {
		makeAside(s)
		bio := words(3 * small)
		s.open()
		c := update(people, person(1, "Ada", bio), person(1, "Eve", "short"))
		c.Before[2] = schema.Text([]byte(bio)[:small+1])
		c.SetAside(true, 2, elsewhere{schema.Text([]byte(bio))})
		s.write(create(people, person(1, "Ada", "short")), c)
		s.commit()
		r, row := s.last(peopleTopic)
		if string(row[1].Ref()) != "Eve" || s.event(r.Key, r.Value).Before != nil || len(s.stopped) != 0 {
			t.Errorf("the row is %s, stopped %v", row[1].Ref(), s.stopped)
		}
	})
}

// A dead letter has the whole row, in whichever form its values are written. None is in
// memory but a text that is written as what it stands for.
func TestAsideDeadLetter(t *testing.T) {
	bytesType := schema.Type{Name: "bytea", Kind: schema.KindBytes}
	hstore := schema.Type{Name: "hstore", Kind: schema.KindText, Opaque: true, Form: schema.FormHStore, Precision: -1, Scale: -1}
	ints := schema.Type{Name: "int4[]", Kind: schema.KindArray, Elem: &schema.Type{Name: "int4", Kind: schema.KindInt, Bits: 32}}
	files := &schema.Table{Database: "app", Schema: "public", Name: "files", Native: "9", Version: 1, Key: []int{0}, Columns: []schema.Column{
		{Name: "id", Type: intType}, {Name: "a", Type: bytesType, Nullable: true}, {Name: "b", Type: textType, Nullable: true}, {Name: "c", Type: ints, Nullable: true}, {Name: "d", Type: textType, Nullable: true}, {Name: "e", Type: hstore}, {Name: "f", Type: bytesType}}}
	packed := binary.AppendUvarint(nil, 40*small)
	for i := range 40 * small {
		packed = schema.AppendElement(packed, schema.Int(int64(i)))
	}
	whole := func() schema.Row {
		return schema.Row{schema.Int(1), schema.Bytes([]byte(words(40 * small))), schema.Text([]byte(words(60 * small))), schema.Array(packed), schema.Text([]byte("d")),
			schema.Text(fmt.Appendf(nil, `"a"=>"%s"`, words(3*small))), schema.Bytes([]byte(words(30*small + 1)))}
	}
	apart := func() pipeline.Change {
		c := aside(create(files, whole()), 5)
		for i, v := range whole() {
			if i == 1 || i == 2 || i == 3 || i == 6 {
				c = aside(c, i)
				c.Aside.After[i] = outside{elsewhere{v}}
			}
		}
		return c
	}
	for _, form := range []avro.Binary{avro.BinaryBytes, avro.BinaryHex, avro.Base64, avro.Base64URL} {
		onBoth(t, capture.DeadLetter, func(t *testing.T, s *large) {
			makeAside(s)
			s.config.Handling.Binary = form
			s.open()
			s.write(apart())
			s.commit()
			topic := strings.Replace(peopleTopic, "people", "files", 1)
			r, _ := lastRaw(t, s, topic)
			wire, err := log.ReadChunked(context.Background(), s.log, header[log.Chunked](t, &r, log.DeadLetterHeader))
			if err != nil {
				t.Fatal(err)
			}
			s.config.ValueBytes, s.config.RecordBytes = 64<<20, 64<<20
			other := makeLarge(newStory(t), capture.DeadLetter)
			other.config.Handling.Binary, other.config.RecordBytes, other.config.ValueBytes = form, 64<<20, 64<<20
			other.open()
			other.write(create(files, whole()))
			other.commit()
			want, _ := other.last(topic)
			if got := s.event(r.Key, wire); !got.After.Identical(other.event(want.Key, want.Value).After) {
				t.Errorf("%q: the dead letter's row is not the row", form)
			}
		})
	}
}
