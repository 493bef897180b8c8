package configs

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/evertdb/evert/pipeline"
)

// A Transform is one step that changes have to pass. Exactly one of its kinds is
// set.
type Transform struct {
	// The tables of the source that it is for, whatever steps before it made of their names; all by default. Not below a sink, which has one.
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
func (t Text) Where(c *Config) string { return placeText(c.file, t.at.at(1, 1)) }

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
func (d *decoder) checkTransforms(list []Transform, path ...string) {
	where := strings.Join(path, ".")
	for i := range list {
		t := &list[i]
		at := d.at(path...)
		if i < len(d.steps[where]) {
			at = d.steps[where][i]
		}
		name := fmt.Sprintf("%s, step %d,", where, i+1)
		if kinds := t.kinds(); len(kinds) != 1 {
			all := transformKinds()
			d.add(at, conflict, name+" must do exactly one of "+strings.Join(all[:len(all)-1], ", ")+" and "+all[len(all)-1], "write one key, and further ones as steps of their own")
		}
		if path[0] == "sinks" && len(t.Tables) > 0 {
			d.add(at, conflict, name+" names tables, and a sink has one", "remove tables")
		}
		for _, column := range sortedKeys(t.Mask) {
			d.checkColumn(at, name+" column "+quoteName(column), t.Mask[column])
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
