package configs

import (
	"net/url"
	"path"
	"strings"
)

// place names where a sink's rows lie, as far as the file says it: two sinks in one
// place would take turns in replacing each other's rows. It is empty for a sink that
// tells of changes to others, of which several may.
func (s *Sink) place() (what, where string) {
	switch {
	case s.OpenSearch != nil:
		return "index " + s.OpenSearch.Index, addressOf(s.OpenSearch.URL) + s.OpenSearch.Index
	case s.Postgres != nil:
		return "table " + s.Postgres.Table.String(), addressOf(s.Postgres.URL) + s.Postgres.Table.String()
	case s.Files != nil:
		return "folder " + s.Files.Path, path.Clean(s.Files.Path)
	}
	return "", ""
}

// addressOf is the server and database of a URL, whoever connects and how.
func addressOf(secret Secret) string {
	text, err := secret.Reveal()
	if err != nil {
		return "" // the file of the secret is not there yet: the connection says so
	}
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Host) + "/" + strings.Trim(u.Path, "/") + " "
}

// checkPlaces finds sinks that write to one place.
func (d *decoder) checkPlaces(c *Config) {
	first := map[string]string{}
	for _, name := range sortedKeys(c.Sinks) {
		what, where := c.Sinks[name].place()
		if where == "" {
			continue
		}
		kind, _, _ := strings.Cut(what, " ")
		if other, taken := first[kind+" "+where]; taken {
			d.add(d.at("sinks", name), conflict, "sinks."+name+" writes to "+what+", as sinks."+other+" does", "give each a place of its own")
			continue
		}
		first[kind+" "+where] = name
	}
}
