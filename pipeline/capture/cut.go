package capture

import (
	"cmp"
	"slices"
	"unicode/utf8"

	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/schema"
)

// cut writes a row with its largest texts and byte strings cut, to the same
// length all of them, so that it fits. Keys are never cut, and what has a syntax
// of its own (JSON, arrays) is not either; done is false if that is not enough.
// How much is cut depends on the row and the limit alone, so that a snapshot and
// the stream cut alike (I6).
func (s *Sink) cut(o *outgoing) (done bool, err error) {
	at := slices.DeleteFunc(s.columns(o.tab, o.e.After), func(i int) bool { return o.e.After[i].Kind() == schema.KindJSON })
	if s.largeBeside(o.e.After, at) {
		return false, nil
	}
	longest := s.longest(o, at)
	if longest < 0 {
		return false, nil
	}
	row, cuts := slices.Clone(o.e.After), []log.Cut{}
	for _, i := range at {
		whole := o.content(i)
		if whole.size <= int64(longest) {
			continue
		}
		sum, err := whole.sumText()
		if err != nil {
			return false, err
		}
		cuts = append(cuts, log.Cut{Row: "after", Column: o.tab.Columns[i].Name, Bytes: whole.size, SHA256: sum})
		row[i] = prefix(row[i], longest)
	}
	s.mark(o.tab, func(t *log.TableState) { t.Cut = true })
	return s.again(o, row, noteCuts(o.headers, cuts))
}

// columns gives the columns of a row whose values may be replaced: texts, byte
// strings and JSON outside the key.
func (s *Sink) columns(tab *table, row schema.Row) (at []int) {
	for i := range row {
		if replaceable(tab, i, row[i].Kind()) {
			at = append(at, i)
		}
	}
	return at
}

// replaceable reports whether a value of a kind in a column may be replaced.
func replaceable(tab *table, column int, k schema.Kind) bool {
	return movable(k) && !slices.Contains(tab.Key, column) && len(tab.Columns[column].Type.Labels) == 0
}

// largeBeside reports whether a value outside of some columns is above the bound
// of single values.
func (s *Sink) largeBeside(row schema.Row, at []int) bool {
	for i := range row {
		if len(row[i].Ref()) > s.ValueBytes && !slices.Contains(at, i) {
			return true
		}
	}
	return false
}

// cutNote is more than a Cut takes in its header, beside the column's name.
const cutNote = 160

// longest gives the length to which values are cut; below 0 there is no room
// even without them.
func (s *Sink) longest(o *outgoing, at []int) int {
	budget := s.room(o.tab, o.key, o.headers) - s.envelope(o.tab)
	lengths := make([]int, 0, len(at))
	for i := range o.e.After {
		if !slices.Contains(at, i) {
			budget -= 48 + 2*len(o.e.After[i].Ref()) // more than its Avro form
			continue
		}
		budget -= 8 + cutNote + 2*len(o.tab.Columns[i].Name)
		lengths = append(lengths, o.length(i))
	}
	if budget < 0 {
		return -1
	}
	return min(level(lengths, budget), s.ValueBytes)
}

// level gives the greatest length to which lengths can be cut so that their sum
// stays within a budget.
func level(lengths []int, budget int) int {
	slices.SortFunc(lengths, func(a, b int) int { return cmp.Compare(a, b) })
	for i, n := range lengths {
		share := budget / (len(lengths) - i)
		if n > share {
			return share
		}
		budget -= n
	}
	if len(lengths) == 0 {
		return 0
	}
	return lengths[len(lengths)-1]
}

// envelope is more than Debezium's envelope takes around a row.
func (s *Sink) envelope(tab *table) int {
	return 256 + len(s.Version) + len(s.Connector) + len(s.Prefix) + len(tab.Database) + len(tab.Schema) + len(tab.Name)
}

// prefix cuts a value, a text between its characters.
func prefix(v schema.Value, n int) schema.Value {
	b := v.Ref()[:n]
	if v.Kind() == schema.KindBytes {
		return schema.Bytes(b)
	}
	for n > 0 && !utf8.RuneStart(v.Ref()[n]) {
		n--
	}
	return schema.Text(b[:n])
}

// noteCuts puts what was cut into the header, behind what is noted there.
func noteCuts(headers []log.Header, cuts []log.Cut) []log.Header {
	out := slices.Clone(headers)
	for i := range out {
		if out[i].Key == log.CutHeader {
			out[i] = jsonHeader(log.CutHeader, append([]log.Cut{{Row: "before"}}, cuts...))
			return out
		}
	}
	return append(out, jsonHeader(log.CutHeader, cuts))
}
