package postgres

import (
	"fmt"
	"slices"
	"strings"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/sources/postgres/pgsql"
)

// publicationRefusals looks at the publication. A fresh start makes or extends
// it when it may; a resumed one needs it as it is.
func (f *facts) publicationRefusals(c *Config, ch *chosen, fresh bool) []error {
	p, wanted := f.publication, slices.Concat(ch.tables, ch.denied)
	switch {
	case p == nil && !fresh:
		return []error{publicationGone(c)}
	case p == nil:
		return f.mayPublish(c, wanted)
	case p.allTables && len(ch.keyless) > 0:
		return []error{&pipeline.Refusal{
			Code: CodeAllTables, Where: "publication " + c.Publication,
			What: "it is FOR ALL TABLES, so that the server rejects updates and deletes of tables without a primary key: " + strings.Join(ch.keyless, ", "),
			Mend: "DROP PUBLICATION " + pgsql.QuoteIdent(c.Publication) + "; -- a new one for the captured tables alone is made at the next start",
		}}
	case !p.all:
		return []error{&pipeline.Refusal{
			Code: CodePublication, Where: "publication " + c.Publication, What: "it leaves out inserts, updates, deletes or truncates",
			Mend: "ALTER PUBLICATION " + pgsql.QuoteIdent(c.Publication) + " SET (publish = 'insert, update, delete, truncate');",
		}}
	}
	missing := unpublished(wanted)
	if len(missing) == 0 || fresh && p.owned && allOwned(missing) {
		return nil
	}
	return []error{unpublishedRefusal(c, missing, fresh)}
}

func unpublished(tables []*tableInfo) []*tableInfo {
	return slices.DeleteFunc(slices.Clone(tables), func(t *tableInfo) bool { return t.published })
}

func allOwned(tables []*tableInfo) bool {
	return !slices.ContainsFunc(tables, func(t *tableInfo) bool { return !t.owned })
}

func (f *facts) mayPublish(c *Config, tables []*tableInfo) []error {
	if len(tables) == 0 || f.MayCreate && allOwned(tables) {
		return nil
	}
	return []error{&pipeline.Refusal{
		Code: CodePublication, Where: "publication " + c.Publication,
		What: "it does not exist, and user " + f.User + " may not make it (CREATE on the database and ownership of the tables are needed)",
		Mend: createPublicationSQL(c, tables, f.Version),
	}}
}

func createPublicationSQL(c *Config, tables []*tableInfo, version int) string {
	sql := "CREATE PUBLICATION " + pgsql.QuoteIdent(c.Publication) + " FOR TABLE " + tableList(tables)
	if version >= 130000 {
		sql += " WITH (publish_via_partition_root = true)"
	}
	return sql + ";"
}

func addTablesSQL(c *Config, tables []*tableInfo) string {
	return "ALTER PUBLICATION " + pgsql.QuoteIdent(c.Publication) + " ADD TABLE " + tableList(tables) + ";"
}

func tableList(tables []*tableInfo) string {
	var names []string
	for _, t := range tables {
		names = append(names, t.SQL())
	}
	return strings.Join(names, ", ")
}

func unpublishedRefusal(c *Config, missing []*tableInfo, fresh bool) error {
	mend := addTablesSQL(c, missing)
	if !fresh {
		for _, t := range missing {
			mend += "\n" + c.copyAgain(t.TableName) + "   # changes made meanwhile did not arrive"
		}
	}
	return &pipeline.Refusal{
		Code: CodeUnpublished, Where: "publication " + c.Publication,
		What: "it does not have " + tableList(missing), Mend: mend,
	}
}

// unpublished refuses a captured table that left the publication.
func (c *Config) unpublished(t *tableInfo) *pipeline.Refusal {
	return t.refuse(CodeUnpublished, "it is not in publication "+c.Publication+" any more, so that its changes do not arrive",
		addTablesSQL(c, []*tableInfo{t})+"\n"+c.copyAgain(t.TableName)+"   # changes made meanwhile did not arrive")
}

func publicationGone(c *Config) error {
	return &pipeline.Refusal{
		Code: CodePublicationGone, Where: "publication " + c.Publication,
		What: "it was dropped after the slot was made; making it again does not help, because the log is read with the catalog of its own time",
		Mend: c.ResetCommand,
	}
}

// publicationText says what the publication is, when nothing is wrong with it.
func (f *facts) publicationText(c *Config, tables int) string {
	switch p := f.publication; {
	case p == nil:
		return fmt.Sprintf("publication %s is made at the first start", c.Publication)
	case p.allTables:
		return fmt.Sprintf("publication %s is FOR ALL TABLES, and each has a replica identity", c.Publication)
	}
	return fmt.Sprintf("publication %s has the %d captured tables, or gets them at the first start", c.Publication, tables)
}
