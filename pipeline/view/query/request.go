package query

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/evertdb/evert/schema"
)

// Bounds of one request.
const (
	DefaultLimit = 100
	MaxLimit     = 10_000
	maxRanges    = 1_000 // that lists of in may multiply to
)

// A request is what a read of many rows asks for.
type request struct {
	filters []filter
	sort    []sortBy
	limit   int
}

// A filter compares one column.
type filter struct {
	column int
	op     string
	values []schema.Value // one, or those of in; none of is.null and not.is.null
}

// sortBy is one column of order=.
type sortBy struct {
	column int
	desc   bool
}

// reserved are the parameters that are no columns. A column of such a name is
// written in double quotes.
var reserved = [...]string{"order", "limit", "cursor", "wait_for", "timeout"}

// parseRequest reads the parameters of a URL.
func parseRequest(s *Shape, q url.Values) (r request, err error) {
	if r.limit, err = parseLimit(q.Get("limit")); err != nil {
		return r, err
	}
	if r.sort, err = parseOrder(s, q["order"]); err != nil {
		return r, err
	}
	for _, name := range sortedNames(q) {
		if slices.Contains(reserved[:], name) {
			continue
		}
		column, err := findColumn(s, name)
		if err != nil {
			return r, err
		}
		for _, text := range q[name] {
			f, err := parseFilter(s, column, text)
			if err != nil {
				return r, err
			}
			r.filters = append(r.filters, f)
		}
	}
	return r, nil
}

func sortedNames(q url.Values) []string {
	names := make([]string, 0, len(q))
	for name := range q {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func parseLimit(text string) (int, error) {
	if text == "" {
		return DefaultLimit, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, badRequest("limit is not a number of rows", "write limit=1 to limit="+strconv.Itoa(MaxLimit))
	}
	return min(n, MaxLimit), nil
}

// findColumn finds a column by its name, or by its name in double quotes.
func findColumn(s *Shape, name string) (int, error) {
	plain := name
	if len(name) > 1 && name[0] == '"' && name[len(name)-1] == '"' {
		plain = strings.ReplaceAll(name[1:len(name)-1], `""`, `"`)
	}
	at := s.column(plain)
	if at < 0 {
		all := make([]int, len(s.Columns))
		for i := range all {
			all[i] = i
		}
		return at, badRequest("the view has no column "+strconv.Quote(plain), "its columns are "+strings.Join(s.names(all), ", "))
	}
	return at, nil
}

// parseOrder reads order=a.desc,b.
func parseOrder(s *Shape, texts []string) (out []sortBy, err error) {
	for _, text := range texts {
		for part := range strings.SplitSeq(text, ",") {
			by, err := parseSort(s, part)
			if err != nil {
				return nil, err
			}
			out = append(out, by)
		}
	}
	return out, nil
}

func parseSort(s *Shape, part string) (by sortBy, err error) {
	name, desc := part, false
	if cut, ok := strings.CutSuffix(part, ".desc"); ok {
		name, desc = cut, true
	} else if cut, ok := strings.CutSuffix(part, ".asc"); ok {
		name = cut
	}
	by.desc = desc
	by.column, err = findColumn(s, name)
	return by, err
}

const operators = "eq, gt, gte, lt, lte, in, is.null, not.is.null"

// parseFilter reads what stands behind column=.
func parseFilter(s *Shape, column int, text string) (filter, error) {
	f := filter{column: column}
	if s.values[column] == nil {
		return f, noOrder(&s.Columns[column])
	}
	if text == "is.null" || text == "not.is.null" {
		f.op = text
		return f, nil
	}
	op, operand, ok := strings.Cut(text, ".")
	if !ok || !slices.Contains([]string{"eq", "gt", "gte", "lt", "lte", "in"}, op) {
		return f, badRequest("the filter on "+strconv.Quote(s.Columns[column].Name)+" does not begin with one of "+operators,
			"write "+s.Columns[column].Name+"=eq.VALUE, or gt. gte. lt. lte. in.(A,B) is.null not.is.null")
	}
	f.op = op
	operands := []string{operand}
	if op == "in" {
		if operands, ok = splitList(operand); !ok {
			return f, badRequest("the list of "+strconv.Quote(s.Columns[column].Name)+" cannot be read",
				"write "+s.Columns[column].Name+`=in.(A,B,"C,D"): a value with a comma, a parenthesis or a quote in double quotes, and \" for a quote in them`)
		}
	}
	for _, o := range operands {
		v, err := s.parse(column, o)
		if err != nil {
			return f, err
		}
		f.values = append(f.values, v)
	}
	return f, nil
}

// splitList reads (a,"b,c",d).
func splitList(text string) (items []string, ok bool) {
	inner, opened := strings.CutPrefix(text, "(")
	inner, closed := strings.CutSuffix(inner, ")")
	if !opened || !closed {
		return nil, false
	}
	for rest, more := inner, inner != ""; more; {
		var item string
		if item, rest, more, ok = cutItem(rest); !ok {
			return nil, false
		}
		items = append(items, item)
	}
	return items, true
}

// cutItem reads one item of a list; more says that a comma followed it.
func cutItem(text string) (item, rest string, more, ok bool) {
	if !strings.HasPrefix(text, `"`) {
		item, rest, more = strings.Cut(text, ",")
		return item, rest, more, !strings.ContainsAny(item, `"()`)
	}
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && i+1 < len(text):
			i++
			b.WriteByte(text[i])
		case c == '"':
			rest := text[i+1:]
			after, more := strings.CutPrefix(rest, ",")
			return b.String(), after, more, more || rest == ""
		default:
			b.WriteByte(c)
		}
	}
	return "", "", false, false
}
