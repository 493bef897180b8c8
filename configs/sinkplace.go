package configs

import (
	"net/url"
	"path"
	"strings"
)

// places name where a sink's rows lie, as far as the file says it: two sinks in one
// place would take turns in replacing each other's rows. There are none for a sink that
// tells of changes to others, of which several may.
func (s *Sink) places() (all [][2]string) {
	switch {
	case s.OpenSearch != nil:
		all = append(all, [2]string{"index " + s.OpenSearch.Index, addressOf(s.OpenSearch.URL) + s.OpenSearch.Index})
	case s.Postgres != nil:
		for _, t := range s.Targets() {
			all = append(all, [2]string{"table " + t.String(), addressOf(s.Postgres.URL) + t.String()})
		}
	case s.Files != nil:
		all = append(all, [2]string{"folder " + s.Files.Path, path.Clean(s.Files.Path)})
	}
	return all
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
		own := map[string]bool{}
		for _, p := range c.Sinks[name].places() {
			what, where := p[0], p[1]
			kind, _, _ := strings.Cut(what, " ")
			other, taken := first[kind+" "+where]
			if taken && !own[where] {
				d.add(d.at("sinks", name), conflict, "sinks."+name+" writes to "+what+", as sinks."+other+" does", "give each a place of its own")
				continue
			}
			first[kind+" "+where], own[where] = name, true
		}
	}
}
