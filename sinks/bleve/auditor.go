package bleve

import (
	"context"

	bleve "github.com/blevesearch/bleve/v2/document"
	"github.com/blevesearch/bleve/v2/index/scorch"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/deliver"
	"github.com/evertdb/evert/schema"
)

// auditor compares an index with its topic. The form of a row is its document.
type auditor struct {
	index  *Index
	rowers map[*schema.Table]*rower
	form   []byte
}

// Auditor makes one. It reads what readers see, and repairs as a target does.
func (x *Index) Auditor() deliver.Auditor {
	return &auditor{index: x, rowers: map[*schema.Table]*rower{}}
}

// Expect implements deliver.Auditor.
func (a *auditor) Expect(c *pipeline.Change) (id, form []byte, err error) {
	r := a.rower(c)
	if c.After == nil {
		return []byte(r.id(c.Before)), nil, nil
	}
	a.form = r.encoder.Append(a.form[:0], c.After)
	if limit := a.index.config.MaxDocumentBytes; len(a.form) > limit {
		return []byte(r.id(c.After)), nil, tooLarge(c.Table.String(), len(a.form), limit)
	}
	return []byte(r.id(c.After)), a.form, nil
}

// rower gives one for ids and documents alone.
func (a *auditor) rower(c *pipeline.Change) *rower {
	r := a.rowers[c.Table]
	if r == nil {
		r = newRower(c.Table, a.index.config.shapeOf(c.Table), a.index.words, nil)
		a.rowers[c.Table] = r
	}
	return r
}

// Contents implements deliver.Auditor.
func (a *auditor) Contents(ctx context.Context, emit func(id, form []byte) error) error {
	snap, s := a.index.snapshot()
	if snap == nil {
		return notReady(&s)
	}
	defer snap.Close()
	return guard(func() error {
		for _, segment := range snap.Segments() {
			for living := segment.DocNumbersLive().Iterator(); living.HasNext(); {
				if err := ctx.Err(); err != nil {
					return err
				}
				if err := emitStored(segment, uint64(living.Next()), emit); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// emitStored emits the id and the stored document of one.
func emitStored(s *scorch.SegmentSnapshot, num uint64, emit func(id, form []byte) error) error {
	var id, source []byte
	err := s.VisitDocument(num, func(field string, _ byte, value []byte, _ []uint64) bool {
		switch field {
		case idField:
			id = append(id, value...)
		case sourceField:
			source = append(source, value...)
		}
		return true
	})
	if err != nil {
		return err
	}
	return emit(id, source)
}

// Repair implements deliver.Auditor. The place of the index stays.
func (a *auditor) Repair(ctx context.Context, fixes []deliver.Fix) error {
	x := a.index
	x.write.Lock()
	defer x.write.Unlock()
	if err := x.load(ctx); err != nil {
		return err
	}
	b := x.reading()
	if b == nil {
		s, err := x.State()
		if err != nil {
			return err
		}
		return notReady(&s)
	}
	docs := map[string]*bleve.Document{}
	for _, fix := range fixes {
		docs[string(fix.ID)] = a.repaired(b, &fix)
	}
	if err := guard(func() error { return b.write(docs, b.state) }); err != nil {
		x.discard(ctx, b, err)
		return err
	}
	return x.show(b)
}

// repaired gives the document that an id should have; nil: none.
func (a *auditor) repaired(b *build, fix *deliver.Fix) *bleve.Document {
	if fix.Change == nil || fix.Change.After == nil {
		return nil
	}
	config := &a.index.config
	json := jsonFields{known: b.fields, max: config.MaxFields, maxLevels: config.MaxDepth}
	r := newRower(fix.Change.Table, config.shapeOf(fix.Change.Table), a.index.words, &json)
	doc, _ := r.document(string(fix.ID), fix.Change.After, r.encoder.Append(nil, fix.Change.After))
	return doc
}

// Close implements deliver.Auditor.
func (a *auditor) Close() error { return nil }
