package postgres

import (
	"fmt"
	"slices"
	"strings"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/sources/postgres/pgsql"
	"github.com/evertdb/evert/sources/postgres/preflight"
)

// scopeWarnings say what of the tables in scope does not come along.
func (s *Source) scopeWarnings(o *preflight.Outlook) (all []pipeline.Finding) {
	warn := func(r *pipeline.Refusal) { all = append(all, pipeline.Finding{Refusal: r, Severity: pipeline.Warns}) }
	for _, r := range s.chosen.skipped {
		warn(r)
	}
	for _, t := range s.chosen.tables {
		for _, r := range t.leftOut(s.config.Publication) {
			warn(r)
		}
	}
	for _, other := range o.Others {
		if r := s.config.undecoded(other); r != nil {
			warn(r)
		}
	}
	if p := s.facts.publication; p != nil && p.allTables && len(s.chosen.keyless) == 0 { // P16
		warn(&pipeline.Refusal{Code: CodeAllTables, Where: "publication " + s.config.Publication,
			What: "it is FOR ALL TABLES: the first table without a primary key that somebody makes will refuse its updates and deletes",
			Mend: "DROP PUBLICATION " + pgsql.QuoteIdent(s.config.Publication) + ";\n" + createPublicationSQL(&s.config, s.chosen.tables, s.version) + " -- before the first start; a slot that is there reads with the old one"})
	}
	if o.LargeObjects { // P29
		warn(&pipeline.Refusal{Code: CodeNotInLog, Where: s.facts.Database, What: "it holds large objects, whose contents are never decoded; columns of type oid that name them come along as numbers",
			Mend: "keep what is to be captured in columns of type bytea or text"})
	}
	return all
}

// leftOut says what of a captured table does not come along.
func (t *tableInfo) leftOut(publication string) (all []*pipeline.Refusal) {
	var generated []string
	sent := t.columnNames()
	for _, c := range t.columns {
		if c.generated && !slices.Contains(sent, c.name) {
			generated = append(generated, c.name)
		}
	}
	if generated != nil { // P25
		all = append(all, t.refuse(CodeGenerated, "generated columns are not in the log, and left out of the topic: "+strings.Join(generated, ", "),
			"compute them where they are read, or fill ordinary columns by a trigger; from version 18 on a publication made WITH (publish_generated_columns = stored) sends those that are stored"))
	}
	if t.attnames != nil && len(sent)+len(generated) < len(t.columns) { // P24
		all = append(all, t.refuse(CodePublishedPart, fmt.Sprintf("the publication sends the columns %s alone", strings.Join(t.attnames, ", ")),
			"ALTER PUBLICATION "+pgsql.QuoteIdent(publication)+" DROP TABLE "+t.SQL()+"; ALTER PUBLICATION "+pgsql.QuoteIdent(publication)+" ADD TABLE "+t.SQL()+"; -- unless that is meant"))
	}
	if t.filter != "" { // P24
		all = append(all, t.refuse(CodePublishedPart, "the publication sends rows alone that fulfil "+t.filter+"; an update that leads out of it arrives as a delete",
			"ALTER PUBLICATION "+pgsql.QuoteIdent(publication)+" DROP TABLE "+t.SQL()+"; ALTER PUBLICATION "+pgsql.QuoteIdent(publication)+" ADD TABLE "+t.SQL()+"; -- unless that is meant"))
	}
	return all
}

// undecoded explains what is in scope and never decoded (P29); nil if it is not
// in scope. A view that a pattern matches goes without saying.
func (c *Config) undecoded(o preflight.OtherRelation) *pipeline.Refusal {
	wanted, _ := c.wants(o.TableName)
	kind := map[string]string{"m": "a materialized view", "f": "a foreign table"}[o.Kind]
	if !wanted || kind == "" {
		return nil
	}
	return &pipeline.Refusal{Code: CodeNotInLog, Where: o.Schema + "." + o.Name, What: "it is " + kind + ", whose changes are not in the log",
		Mend: "capture the tables that it is made of, or leave it out with exclude_tables"}
}
