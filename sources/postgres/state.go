package postgres

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/evertdb/evert/pipeline"
)

// A state is what Resume.State holds: whose positions these are, how far the
// snapshot is, and inside a transaction which one that is.
type state struct {
	System      string   `json:"system"` // system identifier
	Timeline    int      `json:"timeline"`
	Database    string   `json:"database"`
	Slot        string   `json:"slot"`
	Publication string   `json:"publication"`
	Copied      bool     `json:"copied"`           // the snapshot is complete
	Point       string   `json:"point,omitempty"`  // the slot's consistent point
	Tables      []uint32 `json:"tables,omitempty"` // OIDs of the tables copied, ascending
	Part        *txID    `json:"part,omitempty"`   // the transaction of Resume.Rows
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
	if err := json.Unmarshal(b, &s); err != nil {
		return s, &pipeline.Refusal{Code: CodeState, What: "the stored state of the source cannot be read", Err: err}
	}
	return s, nil
}

func (s state) holds(oid uint32) bool {
	_, found := slices.BinarySearch(s.Tables, oid)
	return found
}
