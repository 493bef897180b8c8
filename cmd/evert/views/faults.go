package views

import (
	"maps"
	"slices"

	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline/sql"
	"github.com/evertdb/evert/pipeline/sql/syntax"
)

// QueryFaults are the texts of views that cannot be read, each mistake at its
// place in the file. Nothing starts with one.
func QueryFaults(c *configs.Config) error {
	return faultsOfViews(c, func(_ string, v *configs.View) error {
		_, err := syntax.Parse(v.SQL)
		return err
	})
}

// Faults are all mistakes of the views that need no table to be seen. A
// daemon starts with those that queryFaults does not have; their view stops alone.
func Faults(c *configs.Config) error {
	return faultsOfViews(c, func(name string, v *configs.View) error {
		return sql.Inspect(v.SQL, fileNames{c}, sql.Options{Name: name, Key: v.Key, Indexes: v.Indexes})
	})
}

// faultsOfViews places what look says of every view.
func faultsOfViews(c *configs.Config, look func(name string, v *configs.View) error) error {
	var all configs.Errors
	for _, name := range slices.Sorted(maps.Keys(c.Views)) {
		if err := look(name, c.Views[name]); err != nil {
			all = append(all, configs.ErrorsOf(placed(c, c.Views[name], err))...)
		}
	}
	if len(all) == 0 {
		return nil
	}
	return all.Sorted()
}
