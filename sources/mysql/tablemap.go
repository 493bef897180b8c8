package mysql

import (
	"encoding/binary"
	"errors"
	"slices"

	"github.com/evertdb/evert/sources/mysql/binlogvalue"
)

// A tableMap is what a Table_map event says: which table the row events with its id
// are of, and what their columns look like at this place of the log.
type tableMap struct {
	id       uint64
	database string
	table    string
	columns  []binlogvalue.Column // named and complete only if full
	key      []int                // the primary key, if full; nil: none, or over prefixes of columns
	full     bool                 // binlog_row_metadata was FULL
	signs    bool                 // it says which numbers are unsigned
}

// The optional metadata of a Table_map, by type.
const (
	metaSignedness     = 1
	metaDefaultCharset = 2
	metaColumnCharset  = 3
	metaColumnName     = 4
	metaSetLabels      = 5
	metaEnumLabels     = 6
	metaPrimaryKey     = 8
	metaPrimaryPrefix  = 9
	metaEnumDefault    = 10
	metaEnumCharset    = 11
)

var errTableMap = errors.New("a Table_map event that cannot be read")

// tableMapHead reads which table a Table_map is of, and gives what follows.
//
//	id u48 | flags u16 | u8 length, database, 0 | u8 length, table, 0 | …
func tableMapHead(body []byte) (id uint64, database, table, rest []byte, err error) {
	if len(body) < 9 {
		return 0, nil, nil, nil, errTableMap
	}
	id = binary.LittleEndian.Uint64(append(slices.Clone(body[:6]), 0, 0))
	if database, rest, err = nameBehindLength(body[8:]); err != nil {
		return 0, nil, nil, nil, err
	}
	table, rest, err = nameBehindLength(rest)
	return id, database, table, rest, err
}

func nameBehindLength(b []byte) (name, rest []byte, err error) {
	if len(b) < 2 || len(b) < int(b[0])+2 {
		return nil, nil, errTableMap
	}
	n := int(b[0])
	return b[1 : 1+n], b[n+2:], nil
}

// parseTableMap reads a Table_map.
//
//	… | packed count | u8 type each | packed length, metadata of types | a bit each: may be NULL | optional metadata
func parseTableMap(body []byte, c *collations) (*tableMap, error) {
	id, database, table, rest, err := tableMapHead(body)
	if err != nil {
		return nil, err
	}
	m := &tableMap{id: id, database: string(database), table: string(table)}
	n, rest, ok := packed(rest)
	if !ok || n > uint64(len(rest)) {
		return nil, errTableMap
	}
	types, rest := rest[:n], rest[n:]
	meta, rest, ok := packedBytes(rest)
	if !ok || len(rest) < (len(types)+7)/8 {
		return nil, errTableMap
	}
	if err := m.types(types, meta); err != nil {
		return nil, err
	}
	for i := range m.columns {
		m.columns[i].Nullable = rest[i>>3]>>(i&7)&1 == 1
	}
	return m, m.optional(rest[(len(types)+7)/8:], c)
}

// packed reads a length-encoded number.
func packed(b []byte) (n uint64, rest []byte, ok bool) {
	if len(b) == 0 {
		return 0, nil, false
	}
	size := map[byte]int{0xfc: 2, 0xfd: 3, 0xfe: 8}[b[0]]
	if size == 0 {
		return uint64(b[0]), b[1:], b[0] < 0xfb
	}
	if len(b) < 1+size {
		return 0, nil, false
	}
	for i := size; i > 0; i-- {
		n = n<<8 | uint64(b[i])
	}
	return n, b[1+size:], true
}

func packedBytes(b []byte) (body, rest []byte, ok bool) {
	n, rest, ok := packed(b)
	if !ok || n > uint64(len(rest)) {
		return nil, nil, false
	}
	return rest[:n], rest[n:], true
}

// types reads the types and what belongs to each.
func (m *tableMap) types(types, meta []byte) error {
	m.columns = make([]binlogvalue.Column, len(types))
	for i, t := range types {
		c := &m.columns[i]
		c.Type = binlogvalue.Type(t)
		size := metaBytes(c.Type)
		if len(meta) < size {
			return errTableMap
		}
		describe(c, meta[:size])
		meta = meta[size:]
	}
	return nil
}

func metaBytes(t binlogvalue.Type) int {
	switch t {
	case binlogvalue.String, binlogvalue.NewDecimal, binlogvalue.VarString, binlogvalue.Varchar, binlogvalue.VarcharCompressed, binlogvalue.Bit, binlogvalue.Enum, binlogvalue.Set:
		return 2
	case binlogvalue.Blob, binlogvalue.BlobCompressed, binlogvalue.Double, binlogvalue.Float, binlogvalue.Geometry, binlogvalue.Vector, binlogvalue.JSON,
		binlogvalue.Time2, binlogvalue.Datetime2, binlogvalue.Timestamp2:
		return 1
	}
	return 0
}

func describe(c *binlogvalue.Column, meta []byte) {
	switch c.Type {
	case binlogvalue.String:
		describeString(c, meta[0], meta[1])
	case binlogvalue.NewDecimal:
		c.Precise, c.Scale = int(meta[0]), int(meta[1])
	case binlogvalue.VarString, binlogvalue.Varchar, binlogvalue.VarcharCompressed:
		c.Size = int(binary.LittleEndian.Uint16(meta))
	case binlogvalue.Bit:
		c.Size = int(meta[1])*8 + int(meta[0])
	case binlogvalue.Time2, binlogvalue.Datetime2, binlogvalue.Timestamp2:
		c.Precise = int(meta[0])
	case binlogvalue.Blob, binlogvalue.BlobCompressed, binlogvalue.Geometry, binlogvalue.Vector, binlogvalue.JSON:
		c.Size = int(meta[0])
	}
}

// describeString tells CHAR, ENUM and SET apart. Bits 8 and 9 of a CHAR's length lie
// inverted in the byte of its type.
func describeString(c *binlogvalue.Column, real, length byte) {
	if real&0x30 != 0x30 {
		c.Type, c.Size = binlogvalue.Type(real|0x30), int(length)|int(real&0x30^0x30)<<4
		return
	}
	c.Type, c.Size = binlogvalue.Type(real), int(length)
}

// optional reads the optional metadata: a type, a packed length and a body each.
func (m *tableMap) optional(b []byte, c *collations) error {
	for len(b) > 0 {
		kind := b[0]
		body, rest, ok := packedBytes(b[1:])
		if !ok || !m.meta(kind, body, c) {
			return errTableMap
		}
		b = rest
	}
	return m.decodeLabels(c)
}

func (m *tableMap) meta(kind byte, b []byte, c *collations) bool {
	switch kind {
	case metaSignedness:
		return m.signedness(b)
	case metaDefaultCharset, metaEnumDefault:
		return m.defaultCharset(m.chosen(kind == metaEnumDefault, c.mariaDB), b, c)
	case metaColumnCharset, metaEnumCharset:
		return m.columnCharset(m.chosen(kind == metaEnumCharset, c.mariaDB), b, c)
	case metaColumnName:
		return m.names(b)
	case metaSetLabels:
		return m.labels(binlogvalue.Set, b)
	case metaEnumLabels:
		return m.labels(binlogvalue.Enum, b)
	case metaPrimaryKey:
		return m.primaryKey(b)
	}
	return true // a prefix key is none of ours; what is newer says nothing that reading needs
}

// signedness has a bit for each number, the highest of a byte first. A YEAR counts as
// one (M26).
func (m *tableMap) signedness(b []byte) bool {
	n := 0
	for i := range m.columns {
		c := &m.columns[i]
		if !isNumber(c.Type) {
			continue
		}
		if n>>3 >= len(b) {
			return false
		}
		c.Unsigned = b[n>>3]>>(7-n&7)&1 == 1 && c.Type != binlogvalue.Year
		n++
	}
	m.signs = true
	return true
}

func isNumber(t binlogvalue.Type) bool {
	switch t {
	case binlogvalue.Tiny, binlogvalue.Short, binlogvalue.Int24, binlogvalue.Long, binlogvalue.LongLong, binlogvalue.NewDecimal,
		binlogvalue.Float, binlogvalue.Double, binlogvalue.Year:
		return true
	}
	return false
}

// chosen lists the columns that a character set is said of: enums and sets, or the
// other strings, among which MariaDB counts geometries.
func (m *tableMap) chosen(enums, mariaDB bool) []int {
	var out []int
	for i := range m.columns {
		t := m.columns[i].Type
		if enums && (t == binlogvalue.Enum || t == binlogvalue.Set) || !enums && (isString(t) || t == binlogvalue.Geometry && mariaDB) {
			out = append(out, i)
		}
	}
	return out
}

func isString(t binlogvalue.Type) bool {
	switch t {
	case binlogvalue.String, binlogvalue.VarString, binlogvalue.Varchar, binlogvalue.VarcharCompressed, binlogvalue.Blob, binlogvalue.BlobCompressed:
		return true
	}
	return false
}

// defaultCharset reads one collation for all, and pairs of column and collation for
// those that differ.
func (m *tableMap) defaultCharset(columns []int, b []byte, c *collations) bool {
	all, b, ok := packed(b)
	if !ok {
		return false
	}
	for _, i := range columns {
		c.apply(&m.columns[i], all)
	}
	for len(b) > 0 {
		var at, id uint64
		if at, b, ok = packed(b); !ok || at >= uint64(len(columns)) {
			return false
		}
		if id, b, ok = packed(b); !ok {
			return false
		}
		c.apply(&m.columns[columns[at]], id)
	}
	return true
}

func (m *tableMap) columnCharset(columns []int, b []byte, c *collations) bool {
	for _, i := range columns {
		id, rest, ok := packed(b)
		if !ok {
			return false
		}
		c.apply(&m.columns[i], id)
		b = rest
	}
	return true
}

func (m *tableMap) names(b []byte) bool {
	for i := range m.columns {
		name, rest, ok := packedBytes(b)
		if !ok {
			return false
		}
		m.columns[i].Name, b = string(name), rest
	}
	m.full = true
	return true
}

// labels reads a count and as many labels for each column of a type, in the column's
// own character set.
func (m *tableMap) labels(t binlogvalue.Type, b []byte) bool {
	for i := range m.columns {
		c := &m.columns[i]
		if c.Type != t {
			continue
		}
		n, rest, ok := packed(b)
		if !ok || n > uint64(len(rest)) {
			return false
		}
		c.Labels = make([]string, n)
		for j := range c.Labels {
			label, next, ok := packedBytes(rest)
			if !ok {
				return false
			}
			c.Labels[j], rest = string(label), next
		}
		b = rest
	}
	return true
}

// decodeLabels turns the labels into UTF-8, once the character sets are known.
func (m *tableMap) decodeLabels(all *collations) error {
	for i := range m.columns {
		c := &m.columns[i]
		for j, label := range c.Labels {
			text, err := all.charsets.Decode(c.Charset, []byte(label))
			if err != nil {
				return &binlogvalue.ColumnError{Column: c.Name, Err: err}
			}
			c.Labels[j] = string(text)
		}
	}
	return nil
}

func (m *tableMap) primaryKey(b []byte) bool {
	for len(b) > 0 {
		i, rest, ok := packed(b)
		if !ok || i >= uint64(len(m.columns)) {
			return false
		}
		m.key, b = append(m.key, int(i)), rest
	}
	return true
}
