// Package scalar says what SQL's operators and functions mean on values: what
// Postgres means. The oracle is Postgres itself; the tests run the same
// expressions there and here, and compare the texts.
//
// Nothing here does I/O, looks at a clock or keeps state: a function of the
// catalogue gives the same answer whenever and wherever it is called, which is
// what lets a view be maintained from changes. What depends on the time, on a
// session's settings, on chance or on a collation that Evert does not have is
// known by name and refused, with the text to write instead (Refused).
//
// # How a binder uses it
//
//	f, err := scalar.Lookup("+", []schema.Type{left, right})
//	for i := range f.Args { c, err := scalar.Cast(have[i], f.Args[i], scalar.Implicit); … }
//	v, err := f.Eval(args)
//
// Lookup resolves an overload by Postgres's rules. Operators are looked up by
// their symbol ("+", "||", "->>", "@>"; a prefix operator has one argument),
// functions by their name in lower case. What has a grammar of its own is looked
// up as Postgres stores it:
//
//	x LIKE y, NOT LIKE, ILIKE, NOT ILIKE   "~~" "!~~" "~~*" "!~~*"; with ESCAPE e: y is like_escape(y, e)
//	EXTRACT(f FROM x)                      extract(f, x), f a text
//	x AT TIME ZONE z                       timezone(z, x)
//	SUBSTRING(x FROM a FOR b)              substring(x, a, b); FROM pattern: substring(x, pattern)
//	POSITION(a IN b)                       position(b, a)
//	TRIM(BOTH a FROM b)                    btrim(b, a), ltrim, rtrim
//	OVERLAY(x PLACING y FROM a FOR b)      overlay(x, y, a, b)
//	x IS DISTINCT FROM y                   "is distinct from", "is not distinct from"
//	x IS TRUE … IS UNKNOWN, IS NULL        "is true", "is not true", … "is null", "is not null"
//	AND, OR, NOT                           "and", "or", "not"
//	x op ANY(array), x op ALL(array)       "= any", "<> all", …: the operator, a space, the word
//	ARRAY[a, b]                            "array", any number of arguments
//	a[i]                                   "[]"
//	GREATEST, LEAST                        "greatest", "least"
//	COALESCE, NULLIF                       "coalesce", "nullif"
//
// CASE, COALESCE, UNION and the like find their type with CommonType. A quoted
// literal and NULL have the type Unknown until a place gives them one: Cast from
// Unknown parses the literal (its value is a text).
//
// # Values and types
//
// A value is held as its schema.Type says: a numeric as decimal text with its
// display scale, timestamptz in UTC, jsonb as the text jsonb_out prints, char(n)
// padded. Argument and result bytes are never shared with a later call: a result
// may refer to the bytes of its arguments and lives as long as they do.
//
// An ID names a type without modifiers; Identify gives that of a schema.Type.
//
// # Sessions
//
// Results are those of a session with TimeZone UTC, DateStyle ISO, IntervalStyle
// postgres, bytea_output hex, extra_float_digits 1: a view is defined so, and the
// `check` of a view says so where a function would show the difference.
//
// # Collations
//
// Func.Needs says what a function asks of its arguments' collation: Bytes for
// equality, which every deterministic collation has, and C for order and for
// upper and lower case, where the binder has to refuse any other collation and
// offer COLLATE "C".
//
// # Versions
//
// Answers are those of Postgres 15 to 18. What one of them refuses and another
// answers is refused here, or answered as the newer does; where both answer they
// agree, but for fractions of years in the text of an interval (rounded from 15
// on). Before 14, EXTRACT gives a double there and a numeric here.
//
// # Where it is weaker than Postgres
//
// Logarithms, exponentials, powers and trigonometry are refused: their last digit
// belongs to the C library. Regular expressions are those whose answer does not
// depend on which alternative is tried first (package pattern). to_char has no
// localized names and no zones, and of numbers the patterns 9 0 , . and FM; format(),
// SIMILAR TO and jsonpath are refused. Texts of dates and timestamps are read in ISO 8601's order
// only, and zones other than UTC as fixed offsets only (package temporal). What a
// function makes is bounded at 64 MiB of text. Float sums are exact and rounded
// once, where Postgres's depend on the order of the rows (package aggregate).
//
// Where Postgres wraps around (make_interval before 17), this stops with an error.
package scalar
