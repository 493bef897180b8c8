package transform

// A varying step makes of a row what depends on more than the row.
type varying interface{ varies() bool }

func (s *shape) varies() bool {
	for i := range s.cells {
		if s.cells[i].make == nil {
			continue
		}
		if _, fixed := s.cells[i].make.reads(); !fixed {
			return true
		}
	}
	return false
}

func (f *filter) varies() bool { return f.cond.volatile }
func (o *outbox) varies() bool { return true } // of events that were deleted since

// Varies reports whether a step that was bound makes of rows what depends on when
// or how they came: then the rows as they are now say nothing of what was written.
func (ch *Chain) Varies() bool {
	for _, p := range ch.passes {
		for _, b := range p.bound {
			if v, ok := b.(varying); ok && v.varies() {
				return true
			}
		}
	}
	return false
}
