package postgres

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/sources/postgres/pgsql"
)

// A state is what Resume.State holds: whose positions these are, how far the
// snapshot is, what the tables looked like at that place, and inside a transaction
// which one that is.
type state struct {
	System      string      `json:"system"` // system identifier
	Timeline    int         `json:"timeline"`
	Database    string      `json:"database"`
	Slot        string      `json:"slot"`
	Publication string      `json:"publication"`
	Copied      bool        `json:"copied"`            // the snapshot is complete
	Point       string      `json:"point,omitempty"`   // the slot's consistent point
	Tables      []uint32    `json:"tables,omitempty"`  // OIDs of the tables copied, ascending
	Columns     []byte      `json:"columns,omitempty"` // kept, packed
	Names       []byte      `json:"names,omitempty"`   // names, packed
	Marks       []byte      `json:"marks,omitempty"`   // marks, packed
	Most        []byte      `json:"most,omitempty"`    // the highest numbers of columns, of marks, packed
	Stopped     []stop      `json:"stopped,omitempty"` // tables of Tables that are not read on, by OID
	Part        *txID       `json:"part,omitempty"`    // the transaction of Resume.Rows
	Copies      []tableCopy `json:"copies,omitempty"`  // begun, in order; or done, by request
	Drained     *drained    `json:"drained,omitempty"` // it was drained here
	Last        *landmark   `json:"last,omitempty"`    // the last transaction that had rows; nil: none, or not known

	kept  kept  // Columns, read
	names names // Names, read
	marks marks // Marks and Most, read
}

// A txID tells a transaction from every other of its server.
type txID struct {
	XID    uint32 `json:"xid"`
	Commit uint64 `json:"commit"` // where its commit record begins
}

func (t txID) String() string { return fmt.Sprintf("transaction %d at %s", t.XID, lsn(t.Commit)) }

func (s state) encode() []byte {
	b, err := json.Marshal(s)
	if err != nil {
		panic("postgres: state: " + err.Error()) // strings and numbers cannot fail
	}
	return b
}

func decodeState(b []byte) (state, error) {
	var s state
	err := json.Unmarshal(b, &s)
	if err == nil {
		s.kept, err = unpackKept(s.Columns)
	}
	if err == nil {
		s.names, err = unpackNames(s.Names)
	}
	if err == nil {
		s.marks, err = unpackMarks(s.Marks)
	}
	if err == nil {
		err = s.marks.takeMost(s.Most)
	}
	if err != nil {
		return s, &pipeline.Refusal{Code: CodeState, What: "the stored state of the source cannot be read", Err: err}
	}
	return s, nil
}

// keep gives s with what the tables look like now.
func (s state) keep(k kept) state {
	s.kept, s.Columns = k, k.pack()
	return s
}

// call gives s with the names that its tables go under.
func (s state) call(n names) state {
	s.names, s.Names = n, n.pack()
	return s
}

// marked gives s with what the catalog said of its tables.
func (s state) marked(m marks) state {
	s.marks, s.Marks, s.Most = m, m.pack(), m.packMost()
	return s
}

func (s state) holds(oid uint32) bool {
	_, found := slices.BinarySearch(s.Tables, oid)
	return found
}

// copied reports whether a request for a table was begun or done.
func (s state) copied(oid uint32, id string) bool {
	return slices.ContainsFunc(s.Copies, func(t tableCopy) bool { return t.OID == oid && t.ID == id })
}

// wants reports whether a request is still to be begun. A table that came later, under
// a name that another one has or had, is copied when that is asked for.
func (s state) wants(r copyRequest) bool {
	if r.id != "" {
		return !s.copied(r.oid, r.id)
	}
	for _, name := range s.names {
		if name == r.name {
			return false
		}
	}
	return !s.holds(r.oid)
}

// copying reports whether the copy that a request asked for was begun and is not
// done.
func (s state) copying(oid uint32, id string) bool {
	return slices.ContainsFunc(s.Copies, func(t tableCopy) bool { return t.OID == oid && t.ID == id && !t.Done })
}

// copy gives s with how far the copy of a table is. A table has one.
func (s state) copy(t tableCopy) state {
	i := slices.IndexFunc(s.Copies, func(o tableCopy) bool { return o.OID == t.OID })
	s.Copies = slices.Clone(s.Copies)
	if i < 0 {
		s.Copies = append(s.Copies, t)
	} else {
		s.Copies[i] = t
	}
	s.Copies = slices.DeleteFunc(s.Copies, func(t tableCopy) bool { return t.Done && t.ID == "" })
	return s
}

// capture gives s with one more table that is captured, or with one that is read
// anew from here on. One that had its name before is forgotten: it was dropped or
// renamed, and has stopped.
func (s state) capture(sh *shape, m mark) state {
	name := pgsql.TableName{Schema: sh.table.Schema, Name: sh.table.Name}
	s.Stopped = slices.DeleteFunc(slices.Clone(s.Stopped), func(t stop) bool { return t.OID == sh.oid || t.name() == name })
	s.Tables = slices.DeleteFunc(slices.Clone(s.Tables), func(oid uint32) bool { return oid != sh.oid && s.names[oid] == name })
	if at, found := slices.BinarySearch(s.Tables, sh.oid); !found {
		s.Tables = slices.Insert(s.Tables, at, sh.oid)
	}
	s.Copies = slices.DeleteFunc(slices.Clone(s.Copies), func(t tableCopy) bool { return !s.holds(t.OID) })
	called := maps.Clone(s.names)
	if called == nil {
		called = names{}
	}
	maps.DeleteFunc(called, func(oid uint32, called pgsql.TableName) bool { return called == name })
	called[sh.oid] = name
	return s.keep(s.kept.with(sh.oid, sh.columns)).call(called).marked(s.marks.with(sh.oid, m))
}
