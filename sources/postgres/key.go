package postgres

import (
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/sources/postgres/pgsql"
)

// key decides which columns identify a row, and refuses a table whose updates and
// deletes would not carry them (P15, P17).
//
//	REPLICA IDENTITY     key                      old rows carry
//	DEFAULT              primary key              the primary key
//	USING INDEX          that index               its columns
//	FULL                 primary key, override    every column
//	NOTHING              –                        nothing: the server rejects UPDATE and DELETE
func (t *tableInfo) key(override []string) ([]string, *pipeline.Refusal) {
	carried := t.carried()
	if len(override) > 0 {
		return t.overridden(override, carried)
	}
	switch t.identity {
	case "n":
		return nil, t.refuse(CodeIdentity, "REPLICA IDENTITY NOTHING makes the server reject updates and deletes of a published table",
			"ALTER TABLE "+t.SQL()+" REPLICA IDENTITY DEFAULT;")
	case "i":
		return carried, nil
	}
	if pk := t.index(func(x indexInfo) bool { return x.primary }); pk != nil {
		return t.names(pk.columns), nil
	}
	return nil, t.keyless()
}

// carried names the columns that the old row of a change has; nil: all of them.
func (t *tableInfo) carried() []string {
	var x *indexInfo
	switch t.identity {
	case "f":
		return nil
	case "i":
		x = t.index(func(x indexInfo) bool { return x.identity })
	case "d":
		x = t.index(func(x indexInfo) bool { return x.primary })
	}
	if x == nil {
		return []string{}
	}
	return t.names(x.columns)
}

// overridden takes the key of the configuration if it is unique and not null, and
// carried by old rows.
func (t *tableInfo) overridden(key, carried []string) ([]string, *pipeline.Refusal) {
	unique := t.index(func(x indexInfo) bool { return sameSet(t.names(x.columns), key) })
	if unique == nil {
		return nil, t.refuse(CodeBadKey, "key: ["+strings.Join(key, ", ")+"] has no unique index over just these columns",
			"CREATE UNIQUE INDEX CONCURRENTLY ON "+t.SQL()+" ("+quoteList(key)+");")
	}
	for _, n := range unique.columns {
		if c := t.column(n); !c.notNull {
			return nil, t.refuse(CodeBadKey, "key column "+c.name+" may be NULL", "ALTER TABLE "+t.SQL()+" ALTER COLUMN "+pgsql.QuoteIdent(c.name)+" SET NOT NULL;")
		}
	}
	for _, name := range key {
		if carried != nil && !slices.Contains(carried, name) {
			return nil, t.refuse(CodeIdentity, "updates and deletes do not carry key column "+name,
				"ALTER TABLE "+t.SQL()+" REPLICA IDENTITY USING INDEX "+pgsql.QuoteIdent(unique.name)+";")
		}
	}
	return slices.Clone(key), nil
}

// keyless lists the choices for a table without a key, the nearest one first.
func (t *tableInfo) keyless() *pipeline.Refusal {
	mend := "ALTER TABLE " + t.SQL() + " ADD PRIMARY KEY (…);"
	if x := t.index(func(x indexInfo) bool { return t.allNotNull(x) }); x != nil {
		mend = "ALTER TABLE " + t.SQL() + " REPLICA IDENTITY USING INDEX " + pgsql.QuoteIdent(x.name) + ";"
	}
	return t.refuse(CodeNoKey, "the table has no primary key, so that nothing says which row a change is of",
		mend+"\nor name its unique, not null columns under overrides: "+t.Schema+"."+t.Name+": {key: […]}, or exclude the table")
}

func (t *tableInfo) allNotNull(x indexInfo) bool {
	for _, n := range x.columns {
		if c := t.column(n); c == nil || !c.notNull {
			return false
		}
	}
	return true
}

func (t *tableInfo) index(is func(indexInfo) bool) *indexInfo {
	for i := range t.indexes {
		if is(t.indexes[i]) {
			return &t.indexes[i]
		}
	}
	return nil
}

func (t *tableInfo) refuse(code pipeline.Code, what, mend string) *pipeline.Refusal {
	return &pipeline.Refusal{Code: code, Where: t.Schema + "." + t.Name, What: what, Mend: mend}
}

func sameSet(a, b []string) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a, func(s string) bool { return !slices.Contains(b, s) })
}

func quoteList(names []string) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = pgsql.QuoteIdent(n)
	}
	return strings.Join(quoted, ", ")
}

func hexWords(list string) []string {
	if list == "" {
		return nil
	}
	var out []string
	for _, w := range strings.Split(list, ",") {
		b, _ := hex.DecodeString(w) // the server's own encode()
		out = append(out, string(b))
	}
	return out
}

func jsonStrings(text string) []string {
	var out []string
	_ = json.Unmarshal([]byte(text), &out) // NULL and absent mean no list
	return out
}

func jsonRows(text string) [][]string {
	var out [][]string
	_ = json.Unmarshal([]byte(text), &out) // NULL means none
	return out
}
