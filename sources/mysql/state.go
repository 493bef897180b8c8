package mysql

import (
	"bytes"
	"compress/flate"
	"encoding/json"
	"io"
	"slices"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/sources/mysql/binlogvalue"
)

// A state is what Resume.State holds: what the columns of each table were at its
// place, where rows that are still held back begin, and inside a transaction where in
// it the place is.
type state struct {
	MariaDB bool    `json:"mariadb"`
	Server  string  `json:"server"`            // the identity of the server that was copied; for messages
	Copied  bool    `json:"copied"`            // the snapshot is complete
	Tables  []byte  `json:"tables,omitempty"`  // tables, packed
	Restart string  `json:"restart,omitempty"` // where to read from again for the prepared transactions; empty: from the position
	Part    *part   `json:"part,omitempty"`    // the transaction of Resume.Rows
	Log     *origin `json:"log,omitempty"`     // of the position, if that is a file and a position
	Stopped []stop  `json:"stopped,omitempty"` // tables that were given up

	Altered []keptAlter `json:"altered,omitempty"` // and not described since
	Copies  []keptCopy  `json:"copies,omitempty"`  // in progress, and the last one of each table

	tables []keptTable // Tables, read
}

// A part says how far a transaction was handed over: so many of its row events, of
// every table, and so many rows of the next one. It does not depend on which tables
// are captured.
type part struct {
	GTID   string `json:"gtid"`
	Events uint64 `json:"events"`
	Rows   uint64 `json:"rows"`
}

// A stop is a table that was given up, and why.
type stop struct {
	TableName
	Code pipeline.Code `json:"code"`
	What string        `json:"what"`
	Mend string        `json:"mend"`
}

func stopOf(t TableName, why *pipeline.Refusal) stop {
	s := stop{t, why.Code, why.What, why.Mend}
	if why.Err != nil {
		s.What += ": " + why.Err.Error()
	}
	return s
}

func (s *stop) refusal() *pipeline.Refusal {
	return &pipeline.Refusal{Code: s.Code, Where: s.String(), What: s.What, Mend: s.Mend}
}

// A keptTable is a table as it was at a place.
type keptTable struct {
	TableName
	Key     []string             `json:"key"`
	Columns []binlogvalue.Column `json:"columns"`
	Gone    []string             `json:"gone,omitempty"` // columns that were dropped since its rows were copied
}

// A keptAlter is a table that was altered, and the columns that were named.
type keptAlter struct {
	TableName
	Touched []string `json:"touched,omitempty"`
}

// knows reports whether the place has a table, by its name as text.
func (s state) knows(table string) bool {
	return slices.ContainsFunc(s.tables, func(k keptTable) bool { return k.String() == table })
}

func (s state) encode() []byte {
	b, err := json.Marshal(s)
	if err != nil {
		panic("mysql: state: " + err.Error()) // strings and numbers cannot fail
	}
	return b
}

// keep gives s with tables.
func (s state) keep(tables []keptTable) state {
	b, err := json.Marshal(tables)
	if err != nil {
		panic("mysql: tables: " + err.Error())
	}
	var out bytes.Buffer
	w, _ := flate.NewWriter(&out, flate.DefaultCompression) // the level is a known one
	_, _ = w.Write(b)
	_ = w.Close()
	s.tables, s.Tables = tables, out.Bytes()
	return s
}

const maxTables = 256 << 20 // of a state's tables, unpacked

func decodeState(b []byte) (state, error) {
	var s state
	err := json.Unmarshal(b, &s)
	if err == nil && len(s.Tables) > 0 {
		var text []byte
		if text, err = io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(s.Tables)), maxTables)); err == nil {
			err = json.Unmarshal(text, &s.tables)
		}
	}
	if err != nil {
		return s, &pipeline.Refusal{Code: CodeState, What: "the stored state of the source cannot be read", Err: err}
	}
	return s, nil
}
