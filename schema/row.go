package schema

// A Row is one row: its values in the column order of its Table. A nil Row is
// the absence of a row.
type Row []Value

// Clone gives a row with bytes of its own.
func (r Row) Clone() Row {
	if r == nil {
		return nil
	}
	c := make(Row, len(r))
	for i, v := range r {
		c[i] = v.Clone()
	}
	return c
}

// Size is roughly what r occupies, in bytes.
func (r Row) Size() int {
	n := 0
	for _, v := range r {
		n += v.Size()
	}
	return n
}

// Known reports whether the source sent every value of r (I5).
func (r Row) Known() bool {
	for _, v := range r {
		if !v.IsKnown() {
			return false
		}
	}
	return true
}

// Identical reports whether r and s hold identical values.
func (r Row) Identical(s Row) bool {
	if len(r) != len(s) {
		return false
	}
	for i := range r {
		if !r[i].Identical(s[i]) {
			return false
		}
	}
	return true
}
