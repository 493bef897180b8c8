package configs

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/evertdb/evert/pipeline"
)

type code = pipeline.Code

// A Problem is one mistake in a file.
type Problem struct {
	pipeline.Refusal     // Where is file:line:column
	Line, Column     int // from 1; columns count characters
	Excerpt          string
}

// Error prints where, what and code; then the offending line with a caret under
// the place, every secret in it masked; then the mend.
func (p *Problem) Error() string {
	head, mend, _ := strings.Cut(p.Refusal.Error(), "\n")
	if p.Excerpt != "" {
		head += "\n" + p.Excerpt
	}
	if mend != "" {
		head += "\n" + mend
	}
	return head
}

// Unwrap gives the refusal, which knows the code.
func (p *Problem) Unwrap() error { return &p.Refusal }

// Errors are all mistakes of one file, in the order of their places.
type Errors []*Problem

// Error prints each mistake, and their number if there are several.
func (e Errors) Error() string {
	var b strings.Builder
	for i, p := range e {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(p.Error())
	}
	if len(e) > 1 {
		fmt.Fprintf(&b, "\n%d errors", len(e))
	}
	return b.String()
}

// Unwrap gives the mistakes one by one.
func (e Errors) Unwrap() []error {
	out := make([]error, len(e))
	for i, p := range e {
		out[i] = p
	}
	return out
}

// Sorted puts the mistakes in the order of the file, in place, and gives them.
func (e Errors) Sorted() Errors {
	slices.SortStableFunc(e, func(a, b *Problem) int { return cmp.Or(a.Line-b.Line, a.Column-b.Column) })
	return e
}

// ErrorsOf gives the mistakes of files that an error joins.
func ErrorsOf(err error) (all Errors) {
	if list, ok := err.(Errors); ok {
		return list
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, inner := range joined.Unwrap() {
			all = append(all, ErrorsOf(inner)...)
		}
	}
	return all
}

// Codes of mistakes in a file.
const (
	configRead       code = "CONFIG_READ"
	configSyntax     code = "CONFIG_SYNTAX"
	configTab        code = "CONFIG_TAB"
	configLimit      code = "CONFIG_LIMIT"
	configFeature    code = "CONFIG_FEATURE"
	unknownKey       code = "UNKNOWN_KEY"
	duplicateKey     code = "DUPLICATE_KEY"
	missingKey       code = "MISSING_KEY"
	emptyValue       code = "EMPTY_VALUE"
	wrongType        code = "WRONG_TYPE"
	unquotedString   code = "UNQUOTED_STRING"
	badName          code = "BAD_NAME"
	badTable         code = "BAD_TABLE"
	badDuration      code = "BAD_DURATION"
	badSize          code = "BAD_SIZE"
	badAddress       code = "BAD_ADDRESS"
	badURL           code = "BAD_URL"
	badValue         code = "BAD_VALUE"
	outOfRange       code = "OUT_OF_RANGE"
	badReference     code = "BAD_REFERENCE"
	missingVar       code = "MISSING_VARIABLE"
	secretFile       code = "SECRET_FILE"
	insecureTLS      code = "INSECURE_TLS"
	openListener     code = "OPEN_LISTENER"
	conflict         code = "CONFLICTING_KEYS"
	collision        code = "NAME_COLLISION"
	unusedOverride   code = "UNUSED_OVERRIDE"
	forbiddenSetting code = "FORBIDDEN_SETTING"
)

// A CodeHelp explains one code at length.
type CodeHelp struct {
	Code pipeline.Code
	Text string
}

// Codes explains every code that Load may give, for `evert help CODE`.
func Codes() []CodeHelp {
	return []CodeHelp{
		{configRead, "The configuration file could not be read. Check its path and rights, or name another with -c."},
		{configSyntax, "The file is not YAML from the place named on. Nothing behind it was looked at, so more mistakes may follow once this one is mended. The usual causes: a quote or bracket that is not closed, ${VAR} without quotes inside { } or [ ], a value that holds ': ' without quotes."},
		{configTab, "YAML does not allow tabs as indentation. Write spaces."},
		{configLimit, "The file is larger, more deeply nested, or through aliases has more values than any real one. The bounds protect the daemon from files made to exhaust it."},
		{configFeature, "The file uses a feature of YAML that Evert does not read: tags (!x), merge keys (<<), several documents, keys that are not words. Write the values out; anchors (&x) and aliases (*x) are read."},
		{unknownKey, "A key is not known at this place. Nothing is ignored: a misspelt key would otherwise silently lose its effect. The nearest known key is named."},
		{duplicateKey, "A key stands twice in one mapping. Leave one out."},
		{missingKey, "A key that has no default is missing."},
		{emptyValue, "A key has no value, or an empty one. Give it one, or leave the key out to get the default."},
		{wrongType, "A value has another form than its key needs: a list instead of a mapping, a word instead of a number."},
		{unquotedString, "YAML readers disagree whether a word such as no, on, null or 1.10 is text. Where text is needed, such words must stand in quotes."},
		{badName, "Names of deployments, sources, views and sinks are [a-z][a-z0-9_-]{0,40}; other names follow the rule that the error gives."},
		{badTable, "A table is named schema.table in the catalog's exact case. * stands for any text within one part. A part that holds . * \" or a space is double-quoted, a quote within doubled."},
		{badDuration, "A duration is a number with a unit, or several: 50ms, 10s, 1m30s."},
		{badSize, "A size is a whole number with one of the units B, KiB, MiB, GiB, TiB: 64MiB. A rate is a size per second: 50MiB/s."},
		{badAddress, "An address is host:port; an IPv6 address stands in brackets: [::1]:8380."},
		{badURL, "A URL is malformed. It is not printed, since it may hold a password. Special characters in user and password are percent-encoded; or give the password in the key password beside url."},
		{badValue, "A value is none of those that the key allows."},
		{outOfRange, "A value lies outside the bounds of its key."},
		{badReference, "References are ${VAR}, ${VAR:-default} and ${file:/absolute/path}; $${ stands for ${ itself."},
		{missingVar, "An environment variable that the file refers to is not set. Set it, or give a default as ${VAR:-default}."},
		{secretFile, "A file that ${file:/path} names cannot be read, is empty, or is too large."},
		{insecureTLS, "A connection to another machine would not be verified fully. Without that, whoever sits between can read and change everything. Use verify-full, with the server's CA if it is not a public one; or write insecure: true, which is warned of at each start."},
		{openListener, "An address that other machines can reach serves all captured data. It needs serve.token and serve.tls, or serve.behind_proxy: true when a proxy does both."},
		{conflict, "Two keys contradict each other, or exactly one of several is needed."},
		{collision, "Two parts of the deployment would use one name, slot, topic prefix or address."},
		{unusedOverride, "An override names a table that the source does not capture. Without this error a misspelt name would silently lose its effect."},
		{forbiddenSetting, "The topic setting is part of what Evert promises about its topics and cannot be changed."},
	}
}

// place is a position in a file, from 1.
type place struct{ line, column int }

// problems gathers mistakes; nothing is printed before the file is read whole.
type problems struct {
	file string
	list Errors
}

func (ps *problems) add(at place, c code, what, mend string) {
	at.line, at.column = max(at.line, 1), max(at.column, 1)
	p := &Problem{Line: at.line, Column: at.column}
	p.Where = placeText(ps.file, at)
	p.Code, p.What, p.Mend = c, what, mend
	ps.list = append(ps.list, p)
}

func placeText(file string, at place) string {
	return file + ":" + strconv.Itoa(at.line) + ":" + strconv.Itoa(at.column)
}

// err gives what was gathered, in file order and each mistake once, with the
// offending lines as show prints them.
func (ps *problems) err(show func(place) string) error {
	if len(ps.list) == 0 {
		return nil
	}
	slices.SortStableFunc(ps.list, func(a, b *Problem) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	list := slices.CompactFunc(ps.list, func(a, b *Problem) bool {
		return a.Line == b.Line && a.Column == b.Column && a.Code == b.Code && a.What == b.What
	})
	list = list[:min(len(list), maxProblems)]
	for _, p := range list {
		p.Excerpt = show(place{p.Line, p.Column})
	}
	return list
}

// maxProblems bounds what is printed about one file.
const maxProblems = 200
