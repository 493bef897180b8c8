package scalar

import (
	"strings"

	"github.com/evertdb/evert/schema"
)

// A Refused is a function of Postgres that a view cannot have.
type Refused struct {
	Name string // as it was written
	Why  string // a sentence without a full stop
	Mend string // what to write instead
}

// Error gives all three.
func (r *Refused) Error() string { return r.Name + ": " + r.Why + "; " + r.Mend }

// RefusalOf says why a function or operator of that name, with these arguments,
// cannot stand in a view; nil if nothing speaks against it. It does not say that
// there is one.
func RefusalOf(name string, args []schema.Type) *Refused {
	if r, ok := refusals()[strings.ToLower(name)]; ok {
		return &Refused{Name: name, Why: r[0], Mend: r[1]}
	}
	return refusedByType(name, args)
}

const (
	theClock    = "its answer changes with the clock and not with the data"
	useColumn   = "compare with a column or a constant, or filter where the view is read"
	itsOwnState = "its answer comes from chance, a counter or the server, and not from the data"
	dropIt      = "leave it out, or store its answer in a column at the source"
	lastDigit   = "its last digit depends on the C library of the server"
	atSource    = "compute it into a column at the source (GENERATED ALWAYS AS … STORED)"
	settings    = "its answer depends on settings or a locale of the session"
)

// refusals gives why and mend by name.
func refusals() map[string][2]string {
	list := map[string][2]string{}
	for _, r := range [...]struct{ names, why, mend string }{
		{"now current_timestamp current_date current_time localtime localtimestamp clock_timestamp statement_timestamp transaction_timestamp timeofday",
			theClock, useColumn},
		{"random random_normal gen_random_uuid uuid_generate_v4 uuidv4 uuidv7 setseed nextval currval lastval setval", itsOwnState, dropIt},
		{"current_user session_user user current_role current_schema current_catalog current_database current_setting set_config version " +
			"pg_backend_pid inet_client_addr txid_current pg_current_xact_id pg_sleep pg_typeof", itsOwnState, dropIt},
		{"exp ln log log10 power pow cbrt ||/ sin cos tan cot asin acos atan atan2 sind cosd tand cotd asind acosd atand atan2d sinh cosh tanh asinh " +
			"acosh atanh erf erfc gamma lgamma ^", lastDigit, atSource},
		{"to_number to_date", settings, "cast to text, or use extract() and lpad() to build the text"},
		{"quote_ident", "which words it quotes depends on the server's version", "write the quotes with || and replace()"},
		{"format", "its rules have not been reproduced", "use || and concat()"},
		{"to_tsvector to_tsquery plainto_tsquery websearch_to_tsquery phraseto_tsquery ts_rank @@", "it depends on a text search configuration",
			"let a search sink index the column"},
		{"jsonb_path_exists jsonb_path_match jsonb_path_query jsonb_path_query_array jsonb_path_query_first jsonb_path_exists_tz @?",
			"its language has not been reproduced", "use ->, ->> and @>"},
		{"similar_to_escape similar_escape", "its patterns have not been reproduced", "write LIKE, or a regular expression"},
		{"similarity word_similarity levenshtein soundex metaphone unaccent", "it belongs to an extension", atSource},
		{"normalize", "it depends on the server's version of Unicode", atSource},
	} {
		for _, name := range strings.Fields(r.names) {
			list[name] = [2]string{r.why, r.mend}
		}
	}
	return list
}

// refusedByType refuses what is exact for some types only.
func refusedByType(name string, args []schema.Type) *Refused {
	for i := range args {
		if Identify(&args[i]) == None && name != "is null" && name != "is not null" {
			return &Refused{Name: name, Why: "values of type " + args[i].Name + " are carried as text that Evert does not look into",
				Mend: "leave the column as it is, or cast it at the source"}
		}
	}
	switch {
	case name == "age" && len(args) == 1:
		return &Refused{Name: name, Why: "with one argument it counts from the current date", Mend: "write age(a, b)"}
	case name == "to_char" && len(args) == 2 && (category(Identify(&args[0])) == 'T' || goesByFloat(Identify(&args[0]))):
		return &Refused{Name: name, Why: settings, Mend: "cast the number to numeric, or use extract() and lpad() to build the text"}
	case name == "to_timestamp" && len(args) == 2:
		return &Refused{Name: name, Why: settings, Mend: "cast the text to timestamp"}
	}
	if len(args) == 2 && strings.Contains("< <= > >=", name) && (Identify(&args[0]) == JSONB || Identify(&args[1]) == JSONB) {
		return &Refused{Name: name, Why: "the order of jsonb follows the database's collation", Mend: `compare (x ->> 'key') COLLATE "C"`}
	}
	return nil
}

// goesByFloat reports whether to_char takes a number for double precision, which
// is the preferred type where none of its own is exactly what stands there.
func goesByFloat(id ID) bool { return id == Int2 || id == Float4 || id == Float8 }
