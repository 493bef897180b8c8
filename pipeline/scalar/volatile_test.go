package scalar

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/evertdb/evert/schema"
)

// settled lists what Postgres calls stable and not immutable: it depends on the
// session's TimeZone or on how types print, which are the same for all of Evert.
var settled = strings.Fields(`|| concat concat_ws quote_literal quote_nullable array_to_string array_to_json to_json to_jsonb json_build_array
	json_build_object jsonb_build_array jsonb_build_object + - < <= <> = > >= date_part date_trunc extract make_timestamptz to_char`)

func TestVolatility(t *testing.T) {
	t.Run("R20 nothing in the catalogue looks at a clock", func(t *testing.T) {
		o := newOracle(t)
		all := catalogue()
		var expressions []string
		var names []string
		for _, name := range sortedNames(all) {
			for i := range all[name] {
				expressions = append(expressions, volatility(&all[name][i]))
				names = append(names, name)
			}
		}
		known := 0
		for i, answer := range o.ask(expressions) {
			switch kind := strings.TrimPrefix(answer, "text|"); {
			case kind == "i":
				known++
			case kind == "s" && slices.Contains(settled, names[i]):
				known++
			case kind != "NULL": // of the grammar, or of another version
				t.Errorf("%s: Postgres calls it %s", expressions[i], answer)
			}
		}
		if known < 500 {
			t.Errorf("Postgres knows %d of them only", known)
		}
	})
	t.Run("R20 what looks at a clock is refused with what to write instead", func(t *testing.T) {
		for _, name := range []string{"now", "clock_timestamp", "statement_timestamp", "current_date", "localtime", "random", "nextval", "gen_random_uuid"} {
			var r *Refused
			if _, err := Lookup(name, nil); !errors.As(err, &r) || r.Why == "" || r.Mend == "" {
				t.Errorf("%s: %v", name, err)
			}
		}
		if RefusalOf("age", []schema.Type{Timestamp.Type()}) == nil {
			t.Error("age counts from today")
		}
	})
}

// volatility asks for provolatile of an overload.
func volatility(o *overload) string {
	var args []string
	for _, id := range o.args {
		args = append(args, signatureName(id))
	}
	switch o.rest {
	case None:
	case anyType:
		args = append(args[:max(0, len(args)-1)], `"any"`)
		if len(o.args) == 2 { // concat_ws(text, variadic "any")
			args = []string{signatureName(o.args[0]), `"any"`}
		}
	default:
		args = append(args[:len(args)-1], o.rest.Array().String())
	}
	list := strings.Join(args, ", ")
	if isOperator(o.name) && o.name != "[]" {
		if len(args) == 1 {
			list = "NONE, " + list
		}
		return fmt.Sprintf(`(SELECT provolatile::text FROM pg_operator o JOIN pg_proc p ON p.oid = oprcode WHERE o.oid = to_regoperator('%s(%s)'))`, o.name, list)
	}
	return fmt.Sprintf(`(SELECT provolatile::text FROM pg_proc WHERE oid = to_regprocedure('pg_catalog."%s"(%s)'))`, o.name, list)
}

func signatureName(id ID) string {
	switch id {
	case anyType:
		return `"any"`
	case BPChar:
		return "bpchar"
	}
	return id.String()
}
