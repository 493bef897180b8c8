package opensearch

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/evertdb/evert/pipeline/deliver"
)

// indexes are those of a sink in the cluster, as they were when it was looked:
//
//	customers                      the alias that readers use; it leads to one of
//	customers-7                    what was filled, or is; its mapping's _meta names the sink
//	customers-7-WRITER-<holder>    the alias that the holder writes through
//	customers-evert-position       the position document's
//
// Writing goes through an alias of the holder's own. Opening takes it away from an
// older holder, whose requests then find nothing; and when an index is deleted its
// aliases go with it. A name with capitals can be an alias's and never an index's,
// so that no request of any kind makes an index by the way (S08).
type indexes map[string]*index

type index struct {
	Aliases  map[string]json.RawMessage `json:"aliases"`
	Mappings struct {
		Meta struct {
			Evert meta `json:"evert"`
		} `json:"_meta"`
	} `json:"mappings"`
	Settings struct {
		Index struct {
			UUID string `json:"uuid"`
		} `json:"index"`
	} `json:"settings"`
}

// meta is what we keep in an index's mapping.
type meta struct {
	Owner   string            `json:"owner"`
	Columns map[string]string `json:"columns"` // the mapping of each, as text
}

func metaOf(owner string, m mapping) map[string]any {
	columns := make(map[string]string, len(m))
	for name, text := range m {
		columns[name] = string(text)
	}
	return map[string]any{"evert": meta{owner, columns}}
}

func (m *meta) mapping() mapping {
	out := make(mapping, len(m.Columns))
	for name, text := range m.Columns {
		out[name] = json.RawMessage(text)
	}
	return out
}

const writer = "-WRITER-"

// writerAlias is what the holder writes an index through.
func writerAlias(index, holder string) string { return index + writer + holder }

// look asks for every index that could be one of the sink's.
func (c *client) look(ctx context.Context) (indexes, error) {
	all := indexes{}
	path := "/" + url.PathEscape(c.o.Index) + "," + url.PathEscape(c.o.Index+"-") + "*" +
		"?ignore_unavailable=true&expand_wildcards=open,hidden&filter_path=*.aliases,*.mappings._meta,*.settings.index.uuid"
	a, err := c.ask(ctx, http.MethodGet, path, nil, &all)
	if err != nil || a.ok() || a.status == http.StatusNotFound {
		return all, err
	}
	return nil, c.o.wrong("look for the index", a)
}

// guard refuses a name that belongs to somebody else.
func (all indexes) guard(o *Options) error {
	if all[o.Index] != nil {
		return o.refuse(codeAlias, "the name is that of an index, and has to be free for an alias", "write another index below opensearch, or delete that one")
	}
	for name, x := range all {
		if _, leads := x.Aliases[o.Index]; leads && x.Mappings.Meta.Evert.Owner != o.Owner {
			return o.refuse(codeAlias, "the name is an alias of "+name+", which this sink did not make", "write another index below opensearch, or remove the alias")
		}
	}
	return nil
}

// has reports whether an index is still the one that is meant.
func (all indexes) has(h *held) bool {
	return h != nil && all[h.Index] != nil && all[h.Index].Settings.Index.UUID == h.UUID
}

// numbered gives the number of an index that the sink could have made; 0: none.
func (o *Options) numbered(name string) int {
	n, err := strconv.Atoi(strings.TrimPrefix(name, o.Index+"-"))
	if err != nil || name != o.indexOf(n) {
		return 0
	}
	return n
}

func (o *Options) indexOf(number int) string { return o.Index + "-" + strconv.Itoa(number) }

// left gives those of the sink's own that are neither meant nor seen by readers.
func (all indexes) left(o *Options, p *place) (names []string) {
	for name, x := range all {
		_, seen := x.Aliases[o.Index]
		own := o.numbered(name) > 0 && x.Mappings.Meta.Evert.Owner == o.Owner
		if own && !seen && !all.means(p.Serving, name) && !all.means(p.Filling, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func (all indexes) means(h *held, name string) bool { return h != nil && h.Index == name && all.has(h) }

// clear deletes what earlier fills left.
func (c *client) clear(ctx context.Context, all indexes, p *place) error {
	for _, name := range all.left(c.o, p) {
		a, err := c.ask(ctx, http.MethodDelete, "/"+url.PathEscape(name), nil, nil)
		if err != nil {
			return err
		}
		if !a.ok() && a.status != http.StatusNotFound {
			return c.o.wrong("delete "+name, a)
		}
	}
	return nil
}

// make makes the next index, to be filled.
func (c *client) make(ctx context.Context, all indexes, p *place, m mapping) (*held, error) {
	number := p.Newest
	for name := range all {
		number = max(number, c.o.numbered(name))
	}
	name := c.o.indexOf(number + 1)
	body := map[string]any{
		"settings": map[string]any{"index": c.o.settings(m)},
		"mappings": map[string]any{"dynamic": "strict", "_meta": metaOf(c.o.Owner, m), "properties": m},
		"aliases":  map[string]any{writerAlias(name, p.Holder): struct{}{}},
	}
	a, err := c.ask(ctx, http.MethodPut, "/"+url.PathEscape(name), body, nil)
	if err != nil {
		return nil, err
	}
	if a.status == http.StatusBadRequest && a.kind() != "resource_already_exists_exception" {
		r := c.o.refuse(codeMapping, "the cluster does not take the mapping or the settings ("+a.kind()+")", "correct opensearch.mapping and opensearch.settings; the cluster's log says what is wrong")
		return nil, r
	}
	if !a.ok() {
		return nil, c.o.wrong("make "+name, a)
	}
	p.Newest = number + 1
	return c.identify(ctx, name)
}

// identify asks for the identity of an index that was just made.
func (c *client) identify(ctx context.Context, name string) (*held, error) {
	id, err := c.uuid(ctx, name)
	if err == nil && id == "" {
		err = fmt.Errorf("the index %s is gone as soon as it was made", name)
	}
	return &held{name, id}, err
}

// uuid gives the identity of the index behind a name; "" if it leads to none.
func (c *client) uuid(ctx context.Context, name string) (string, error) {
	found := indexes{}
	a, err := c.ask(ctx, http.MethodGet, "/"+url.PathEscape(name)+"/_settings?filter_path=*.settings.index.uuid", nil, &found)
	if err != nil {
		return "", err
	}
	if !a.ok() && a.status != http.StatusNotFound {
		return "", c.o.wrong("ask for the index", a)
	}
	for _, x := range found {
		return x.Settings.Index.UUID, nil
	}
	return "", nil
}

// defaultFields is the server's own limit of an index's fields.
const defaultFields = 1000

// settings are those of an index that is made: what the user wrote, and what the
// promises rest on. It is not refreshed while it is filled.
func (o *Options) settings(m mapping) map[string]any {
	s := map[string]any{}
	for name, value := range o.Settings {
		s[strings.TrimPrefix(name, "index.")] = value
	}
	if n := m.fields(); n > defaultFields && s["mapping.total_fields.limit"] == nil {
		s["mapping.total_fields.limit"] = n + defaultFields // S05: no more than the schema has, and room for columns to come
	}
	s["refresh_interval"] = "-1"
	s["gc_deletes"] = strconv.FormatInt(o.GCDeletes.Milliseconds(), 10) + "ms" // S04
	s["translog.durability"] = "request"                                       // I1: what is acknowledged is on disk
	return s
}

// ready makes what was filled findable, before readers are led to it.
func (c *client) ready(ctx context.Context, name string) error {
	var interval any // the server's default
	for _, key := range []string{"refresh_interval", "index.refresh_interval"} {
		if own, ok := c.o.Settings[key]; ok {
			interval = own
		}
	}
	a, err := c.ask(ctx, http.MethodPut, "/"+url.PathEscape(name)+"/_settings", map[string]any{"index": map[string]any{"refresh_interval": interval}}, nil)
	if err != nil {
		return err
	}
	if !a.ok() {
		return c.o.wrong("let "+name+" be refreshed", a)
	}
	return c.refresh(ctx, name)
}

func (c *client) refresh(ctx context.Context, name string) error {
	a, err := c.ask(ctx, http.MethodPost, "/"+url.PathEscape(name)+"/_refresh", nil, nil)
	if err == nil && !a.ok() {
		err = c.o.wrong("refresh "+name, a)
	}
	return err
}

// aliases does all of some actions, or none.
func (c *client) aliases(ctx context.Context, actions []any) error {
	if len(actions) == 0 {
		return nil
	}
	var done struct{ Acknowledged bool }
	a, err := c.ask(ctx, http.MethodPost, "/_aliases", map[string]any{"actions": actions}, &done)
	if err != nil {
		return err
	}
	if !a.ok() {
		return c.o.wrong("change aliases", a)
	}
	if !done.Acknowledged {
		return c.o.exhausted(a, nil)
	}
	return nil
}

func addAlias(index, alias string) any {
	return map[string]any{"add": map[string]any{"index": index, "alias": alias}}
}

func removeAlias(index, alias string) any {
	return map[string]any{"remove": map[string]any{"index": index, "alias": alias}}
}

func removeIndex(index string) any {
	return map[string]any{"remove_index": map[string]any{"index": index}}
}

// lead gives the actions that lead readers to what is meant, and nowhere else, and
// take away what they saw before.
func (all indexes) lead(o *Options, to string) (actions []any) {
	if _, leads := all[to].Aliases[o.Index]; !leads {
		actions = append(actions, addAlias(to, o.Index))
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if _, leads := all[name].Aliases[o.Index]; leads && name != to {
			actions = append(actions, removeIndex(name))
		}
	}
	return actions
}

// fence gives the actions that let this holder alone write an index.
func (all indexes) fence(h *held, holder string) (actions []any) {
	mine := writerAlias(h.Index, holder)
	for _, alias := range slices.Sorted(maps.Keys(all[h.Index].Aliases)) {
		if strings.HasPrefix(alias, h.Index+writer) && alias != mine {
			actions = append(actions, removeAlias(h.Index, alias))
		}
	}
	if _, there := all[h.Index].Aliases[mine]; !there {
		actions = append(actions, addAlias(h.Index, mine))
	}
	return actions
}

// missing is what an index that is gone leads to.
func (o *Options) missing(h *held) error {
	why := "the index " + h.Index + " is gone, or another of that name"
	if o.OnMissing == StopMissing {
		return o.refuse(codeMissing, why, "write on_missing: rebuild below opensearch, which fills a new one")
	}
	return &deliver.Renewal{Why: why}
}

// widen adds fields to an index, and to what its _meta says of it.
func (c *client) widen(ctx context.Context, name string, m, fresh mapping) error {
	body := map[string]any{"properties": fresh, "_meta": metaOf(c.o.Owner, m)}
	a, err := c.ask(ctx, http.MethodPut, "/"+url.PathEscape(name)+"/_mapping", body, nil)
	if err != nil || a.ok() {
		return err
	}
	if a.status == http.StatusBadRequest {
		return &deliver.Renewal{Why: "the index does not take fields for columns that are new (" + a.kind() + ")"}
	}
	return c.o.wrong("add fields to "+name, a)
}
