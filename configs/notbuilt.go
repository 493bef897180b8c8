package configs

import (
	"slices"
	"strings"
)

// unbuilt is a key that the grammar knows and this release does not obey. It is
// refused, because its silent absence would do harm. Whoever builds the function
// deletes the line.
type unbuilt struct {
	path  string   // with * for names that the user chose
	built []string // values that are obeyed; none: the key itself is refused
	why   string
}

func unbuiltKeys() []unbuilt {
	return []unbuilt{
		{"sources.*.mysql.snapshot.url", nil, "only tables of Postgres are copied from a replica yet"},
		{"sources.*.mysql.snapshot.order", nil, "only tables of Postgres are copied in an order yet"},
		{"sources.*.mysql.snapshot.where", nil, "only tables of Postgres are copied in part yet"},
	}
}

// refuseUnbuilt reports every key that was written and is not obeyed.
func (d *decoder) refuseUnbuilt() {
	for _, u := range unbuiltKeys() {
		pattern := strings.Split(u.path, ".")
		for _, k := range d.keys {
			if !pathMatches(pattern, k.path) || u.built != nil && (k.text == "" || slices.Contains(u.built, k.text)) {
				continue
			}
			what, mend := quoteName(strings.Join(k.path, ".")), "remove it"
			if u.built != nil {
				what += ": " + k.text
				mend = "write " + strings.Join(u.built, " or ") + ", or leave the key out"
			}
			d.add(k.at, notBuilt, what+" is not built yet: "+u.why, mend)
		}
	}
}

func pathMatches(pattern, path []string) bool {
	return slices.EqualFunc(pattern, path, func(p, name string) bool { return p == "*" || p == name })
}
