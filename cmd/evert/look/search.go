package look

import (
	"encoding/json"
	"fmt"
	"html"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/evertdb/evert/cmd/evert/api"
	"github.com/evertdb/evert/cmd/evert/cli"
	"github.com/evertdb/evert/cmd/evert/exit"
	"github.com/evertdb/evert/cmd/evert/terminal"
	"github.com/evertdb/evert/configs"
)

// searchFlags are how something is searched.
type searchFlags struct {
	server  string
	limit   int
	offset  int
	order   []string
	facets  []string
	filters []string
	waitFor []string
	timeout time.Duration
}

func (a verbs) searchVerb() *cobra.Command {
	var flags searchFlags
	c := &cobra.Command{
		Use:   "search SINK QUERY…",
		Short: "Search a full-text index",
		Long: `Search the index of a bleve sink. Words are looked for in all text, and the rows that
have more of them come first; +word is needed, -word excluded; column:word looks in one
column, "a phrase" for words in a row, ber* for a beginning, berln~1 for a typo,
spent:>10 and born:<"2000-01-01" for ranges. Several arguments are one query; none, or "",
finds everything. The answer comes from the daemon that runs for this file, or from the one
at --server, which takes the token from serve.token of the file, or from $EVERT_TOKEN.
With --wait-for SOURCE:POSITION it contains what was committed before that: on Postgres,
SELECT pg_current_wal_flush_lsn() behind the commit.`,
		Example: `  evert search customers_local "ann berlin"
  evert search customers_local --where city=eq.Berlin --facet status --order spent.desc`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: cli.First(a.indexNames),
		RunE: func(_ *cobra.Command, args []string) error {
			return a.search(args[0], strings.Join(args[1:], " "), &flags)
		},
	}
	f := c.Flags()
	f.StringVar(&flags.server, "server", "", "URL of a daemon's serve.http, instead of the daemon of the file")
	f.IntVar(&flags.limit, "limit", 10, "how many rows")
	f.IntVar(&flags.offset, "offset", 0, "how many rows to leave out before them")
	f.StringArrayVar(&flags.order, "order", nil, "a column to sort by, with .desc behind it for the largest first; the best first if there is none")
	f.StringArrayVar(&flags.facets, "facet", nil, "a column whose values are counted over everything that was found")
	f.StringArrayVar(&flags.filters, "where", nil, "COLUMN=OPERATOR.VALUE that holds for every row, as in a URL: city=eq.Berlin, spent=gte.10")
	f.StringArrayVar(&flags.waitFor, "wait-for", nil, "SOURCE:POSITION that the index must have reached, or the position of an earlier answer")
	f.DurationVar(&flags.timeout, "timeout", 0, "how long to wait for it; limits.wait_timeout at most")
	a.OutputFlag(c)
	return c
}

// indexNames are the sinks of the file that can be searched, for completion.
func (a verbs) indexNames() (names []string) {
	c, err := configs.Load(a.File, a.Env)
	if err != nil {
		return nil
	}
	for name, s := range c.Sinks {
		if s.Bleve != nil {
			names = append(names, name)
		}
	}
	return names
}

func (a verbs) search(index, query string, flags *searchFlags) error {
	client, err := a.ClientOf(flags.server)
	if err != nil {
		return err
	}
	params, err := flags.params(query)
	if err != nil {
		return err
	}
	found, err := client.Search(a.Ctx, index, params)
	if err != nil {
		return err
	}
	if found.Stale != nil {
		a.Say("%s [%s]", found.Stale.Detail, found.Stale.Code)
	}
	if a.JSON() {
		_, err := a.Out.Write(found.Append(nil))
		return err
	}
	return a.writeHits(found)
}

// params are those of the URL.
func (f *searchFlags) params(query string) (url.Values, error) {
	params := url.Values{"q": {query}, "limit": {strconv.Itoa(f.limit)}, "offset": {strconv.Itoa(f.offset)}, "highlight": {"true"},
		"order": f.order, "facet": f.facets, "wait_for": f.waitFor}
	if f.timeout > 0 {
		params.Set("timeout", f.timeout.String())
	}
	for _, filter := range f.filters {
		column, condition, ok := strings.Cut(filter, "=")
		if !ok {
			return nil, exit.Usage(fmt.Errorf("--where %q is no COLUMN=OPERATOR.VALUE", filter))
		}
		params.Add(`"`+column+`"`, condition)
	}
	return params, nil
}

// writeHits prints what was found as a table, what was looked for in it in bold.
func (a verbs) writeHits(found *api.Hits) error {
	style := a.Style(a.Out)
	table := terminal.Table{Style: style}
	for i := range found.Hits {
		columns, err := found.Hits[i].Columns()
		if err != nil {
			return err
		}
		if i == 0 {
			for _, c := range columns {
				table.Header = append(table.Header, terminal.Plain(c.Name))
			}
		}
		row := make([]string, len(columns))
		for k, c := range columns {
			row[k] = cellOf(&found.Hits[i], c, style)
		}
		table.Add(row...)
	}
	if err := table.Write(a.Out); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(found.Facets)) {
		facet := terminal.Table{Header: []string{terminal.Plain(name), ">rows"}, Style: style}
		for _, t := range found.Facets[name].Terms {
			facet.Add(terminal.Plain(t.Term), strconv.Itoa(t.Count))
		}
		if _, err := fmt.Fprintln(a.Out); err != nil {
			return err
		}
		if err := facet.Write(a.Out); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(a.Out, style.Dim(fmt.Sprintf("%d of %d at %s", len(found.Hits), found.Total, found.Position)))
	return err
}

// cellColumns is how wide a value is shown.
const cellColumns = 40

// cellOf shows a value, or its fragment around what was found.
func cellOf(h *api.Hit, c api.Field, style terminal.Style) string {
	for _, fragment := range h.Highlights[c.Name] {
		return terminal.Cut(marked(fragment, style), cellColumns)
	}
	var text string
	if json.Unmarshal(c.Value, &text) != nil {
		text = string(c.Value)
	}
	return terminal.Cut(terminal.Plain(text), cellColumns)
}

// marked shows a fragment's marks in bold.
func marked(fragment string, style terminal.Style) string {
	var b strings.Builder
	for i, part := range strings.Split(fragment, "<mark>") {
		found, rest, ok := strings.Cut(part, "</mark>")
		if i == 0 || !ok {
			b.WriteString(terminal.Plain(html.UnescapeString(part)))
			continue
		}
		b.WriteString(style.Bold(terminal.Plain(html.UnescapeString(found))) + terminal.Plain(html.UnescapeString(rest)))
	}
	return b.String()
}
