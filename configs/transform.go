package configs

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/evertdb/evert/pipeline"
)

// A Transform is one step that changes have to pass. Exactly one of its kinds is
// set.
type Transform struct {
	// The tables that it is for, whatever steps before it made of their names; all by default. Not below a sink of one table.
	Tables []TablePattern `yaml:"tables"`

	// Rows for which this condition is true pass, others do not. An update that makes a row fit creates it, one that makes it fit no more deletes it.
	Filter Text `yaml:"filter" format:"text"`
	// The columns that are kept, in this order, as a SELECT list: names, expressions with AS, and *.
	Project []Text `yaml:"project" format:"text"`
	// Columns to be computed, by name: one that is there is replaced, another is added behind the rest.
	Map map[string]Text `yaml:"map" keys:"column"`
	// New names of columns, by the old ones.
	Rename map[string]Text `yaml:"rename" keys:"column"`
	// What happens to single columns, by name, in new rows and old ones.
	Mask map[string]*Column `yaml:"mask" keys:"column"`
	// The columns that are the key from here on. Updates and deletes need old rows that have them: REPLICA IDENTITY FULL.
	Rekey []Text `yaml:"rekey" format:"column"`
	// The topics that rows go to, by an expression.
	Route *Route `yaml:"route"`
	// An object of JSON that is taken apart.
	Flatten *Flatten `yaml:"flatten"`
	// Columns that become one object.
	Nest *Nest `yaml:"nest"`
	// A list of which each element becomes a row.
	Unnest *Unnest `yaml:"unnest"`
	// A table of events that the application writes, as Debezium's event router reads it.
	Outbox *Outbox `yaml:"outbox"`
	// Updates that change nothing are left out.
	DropUnchanged *DropUnchanged `yaml:"drop_unchanged"`
	// What there is to say of a change, as columns or headers.
	Metadata *Metadata `yaml:"metadata"`
	// What nothing else can do: a function in Starlark that sees the row and nothing else.
	Script *Script `yaml:"script"`

	at text // where the step begins
}

// At is where the step begins; its text is empty.
func (t *Transform) At() Text { return Text{at: t.at} }

// A Route sends rows to topics by an expression.
type Route struct {
	// The table whose topic a row goes to, as an expression: table, or schema.table. It may name columns, change.schema and change.table.
	To Text `yaml:"to" format:"text" required:"true"`
	// All tables that may come out, as schema.table. Those without * have their topics from the beginning, and a TRUNCATE reaches them.
	Topics []TablePattern `yaml:"topics" required:"true"`
	// How many tables may come out. A row that would make one more stops its table.
	MaxTopics int `yaml:"max_topics" default:"100" min:"1" max:"10000"`
}

// Flatten takes an object of JSON apart.
type Flatten struct {
	// The column.
	Column Text `yaml:"column" format:"column" required:"true"`
	// The fields that become columns, each with its type: geo.lat double precision is the column address_geo_lat of address. Without fields the column stays, with all fields on one level.
	Fields []Text `yaml:"fields" format:"text"`
	// What stands between the names.
	Separator string `yaml:"separator" format:"text" default:"_"`
	// How many levels of objects are taken apart; deeper ones stay.
	Depth int `yaml:"depth" default:"5" min:"1" max:"20"`
}

// Nest puts columns into one object.
type Nest struct {
	// The column of type jsonb that holds them, in the place of the first.
	Into Text `yaml:"into" format:"column" required:"true"`
	// The columns.
	Columns []Text `yaml:"columns" format:"column" required:"true"`
}

// Unnest makes a row of each element of a list.
type Unnest struct {
	// The column: an array, or an array of JSON.
	Column Text `yaml:"column" format:"column" required:"true"`
	// The name of the element's column; that of the list by default.
	As string `yaml:"as" format:"column"`
	// The name of the column with the element's number, from 1, which is the last of the key; <column>_ordinal by default.
	Ordinal string `yaml:"ordinal" format:"column"`
	// Elements of one row. A longer list stops its table.
	MaxElements int `yaml:"max_elements" default:"10000" min:"1" max:"1000000"`
}

// Outbox publishes events that the application writes into a table. An event goes
// to <topic_prefix>.outbox.event.<type of aggregate>, keyed by the aggregate's id.
// Topics are compacted: of each aggregate the newest event stays.
type Outbox struct {
	// The column of the event's id, which goes into header id as well.
	ID string `yaml:"id" format:"column" default:"id"`
	// The column of the aggregate's type, which names the topic.
	AggregateType string `yaml:"aggregate_type" format:"column" default:"aggregatetype"`
	// The column of the aggregate's id.
	AggregateID string `yaml:"aggregate_id" format:"column" default:"aggregateid"`
	// The column of the event's type.
	Type string `yaml:"type" format:"column" default:"type"`
	// The column of the event itself.
	Payload string `yaml:"payload" format:"column" default:"payload"`
	// The types of aggregates that there are; any by default. Those that are named have their topics from the beginning.
	Topics []string `yaml:"topics" format:"text"`
	// How many topics there may be. An event that would make one more stops its table.
	MaxTopics int `yaml:"max_topics" default:"100" min:"1" max:"10000"`
	// What happens to an update of an event that was published: the table stops, or the update is left out.
	OnUpdate string `yaml:"on_update" enum:"stop,skip" default:"stop"`
}

// DropUnchanged leaves out updates that change nothing.
type DropUnchanged struct {
	// The columns that count; all by default.
	Columns []Text `yaml:"columns" format:"column"`
}

// Metadata is what there is to say of a change: op, position, sequence,
// transaction, time, schema or table.
type Metadata struct {
	// Fields of the change, by the column that is to hold them.
	Columns map[string]Text `yaml:"columns" keys:"column"`
	// Fields of the change, by the header of the record that is to hold them.
	Headers map[string]Text `yaml:"headers" keys:"column"`
}

// A Script is a function transform(row) in Starlark.
type Script struct {
	// The script. transform(row) changes row.name or row["name"] and returns row, or None to leave it out.
	Code Text `yaml:"code" format:"text" required:"true"`
	// New columns that the script may set, with their types.
	Columns map[string]Text `yaml:"columns" keys:"column"`
	// The steps that it may take for a row; more stop the table.
	MaxSteps int `yaml:"max_steps" default:"100000" min:"100" max:"100000000"`
	// The bytes that it may make for a row; more stop the table.
	MaxBytes Size `yaml:"max_bytes" default:"1MiB" min:"1KiB" max:"1GiB"`
}

// A Text is a text of several lines or one that knows where in the file it
// stands.
type Text struct {
	Value string
	at    text
}

// IsZero reports whether the text was not written.
func (t Text) IsZero() bool { return t.Value == "" }

// Where gives the text's beginning, as file:line:column of the file.
func (t Text) Where(c *Config) string { return t.Place(c, 1, 1) }

// Place gives a place of the text, as file:line:column of the file; line and column are
// those of the text, from 1.
func (t Text) Place(c *Config, line, column int) string {
	return placeText(c.file, t.at.at(line, column))
}

// Fault makes the error of something wrong with the text, as file:line:column of
// the file; line and column are those of the text, from 1.
func (t Text) Fault(c *Config, line, column int, code pipeline.Code, what, mend string) error {
	ps := &problems{file: c.file}
	ps.add(t.at.at(line, column), code, what, mend)
	if t.at.page == nil {
		return ps.err(func(place) string { return "" })
	}
	return ps.err(t.at.page.excerpt)
}

// kinds are the keys of the kinds that are set.
func (t *Transform) kinds() (set []string) {
	v := reflect.ValueOf(t).Elem()
	for _, key := range transformKinds() {
		if !v.FieldByIndex(fieldsOf(v.Type())[key].Index).IsZero() {
			set = append(set, key)
		}
	}
	return set
}

// transformKinds are the keys that say what a transform does.
func transformKinds() (kinds []string) {
	for _, key := range orderOf(reflect.TypeFor[Transform]()) {
		if key != "tables" {
			kinds = append(kinds, key)
		}
	}
	return kinds
}

// checkTransforms finds steps that do nothing, or several things.
func (d *decoder) checkTransforms(c *Config, list []Transform, path ...string) {
	where := strings.Join(path, ".")
	for i := range list {
		t := &list[i]
		at := t.at.begins
		name := fmt.Sprintf("%s, step %d,", where, i+1)
		if kinds := t.kinds(); len(kinds) != 1 {
			all := transformKinds()
			d.add(at, conflict, name+" must do exactly one of "+strings.Join(all[:len(all)-1], ", ")+" and "+all[len(all)-1], "write one key, and further ones as steps of their own")
		}
		if path[0] == "sinks" {
			d.checkSinkStep(at, name, t, c.Sinks[path[1]])
		}
		for _, column := range sortedKeys(t.Mask) {
			d.checkColumn(at, name+" column "+quoteName(column), t.Mask[column])
		}
	}
}

// NeedsOldRows reports whether a step has to know what a row was.
func (t *Transform) NeedsOldRows() bool {
	return t.Rekey != nil || t.Unnest != nil || t.DropUnchanged != nil
}

// checkSinkStep refuses what a sink cannot do: it has no topics, and an Avro file has no
// field for the rank that orders what is made of old rows.
func (d *decoder) checkSinkStep(at place, name string, t *Transform, s *Sink) {
	switch {
	case len(t.Tables) > 0 && !s.Several():
		d.add(at, conflict, name+" names tables, and a sink has one", "remove tables")
	case t.Route != nil, t.Outbox != nil:
		d.add(at, conflict, name+" names topics, and a sink writes none", "write the step below the source")
	case t.NeedsOldRows() && s.Files != nil && s.Files.Format == "avro":
		d.add(at, conflict, name+" needs old rows, and what is made of them is ordered by a rank, which the Avro files have no field for", "write format: jsonl below files; or make a view with that key and deliver it, or write the step below the source")
	default:
		d.checkStepTables(at, name, t, s)
	}
}

// checkStepTables refuses a step for tables that the sink does not deliver: what it is to
// hide would be told of.
func (d *decoder) checkStepTables(at place, name string, t *Transform, s *Sink) {
	_, delivered, _ := s.Tables()
	for _, p := range t.Tables {
		is := func(table TablePattern) bool {
			schema, name, _ := table.Exact()
			return Captures([]TablePattern{p}, nil, schema, name)
		}
		if len(delivered) > 0 && !slices.ContainsFunc(delivered, is) {
			d.add(at, conflict, name+" is for "+p.String()+", and from names no such table", "name one of from: tables: ["+delivered[0].String()+"]")
		}
	}
}

// checkColumn finds masks that hide nothing, or twice.
func (d *decoder) checkColumn(at place, name string, c *Column) {
	switch {
	case c.Drop && c.Mask != "":
		d.add(at, conflict, name+" has both mask and drop", "keep one of them")
	case !c.Drop && c.Mask == "":
		d.add(at, missingKey, name+" has neither mask nor drop", "write mask: redact, or drop: true")
	case c.Mask == MaskHMAC && c.Key.IsZero():
		d.add(at, missingKey, name+" has mask: hmac-sha256 and no key", `add key: "${file:/run/secrets/pii}", which only those know who may find values by guessing them`)
	case c.Mask != MaskHMAC && !c.Key.IsZero():
		d.add(at, conflict, name+" has a key, and its mask needs none", "write mask: hmac-sha256, or remove key")
	}
}

// Ways to hide the values of a column.
const (
	MaskHMAC    = "hmac-sha256"
	MaskRedact  = "redact"
	MaskNull    = "nullify"
	MaskPartial = "partial"
)
