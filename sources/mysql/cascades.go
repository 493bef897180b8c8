package mysql

import (
	"context"
	"regexp"
	"strings"

	"github.com/evertdb/evert/pipeline"
)

// A foreignKey is one that changes rows of its table by itself.
type foreignKey struct{ name, actions string }

var (
	constraintLine = regexp.MustCompile("^\\s*CONSTRAINT (`.*?`) FOREIGN KEY .* REFERENCES .*\\)((?: ON (?:DELETE|UPDATE) (?:RESTRICT|CASCADE|SET NULL|NO ACTION|SET DEFAULT))*),?$")
	changesRows    = regexp.MustCompile(`ON (?:DELETE|UPDATE) (?:CASCADE|SET NULL|SET DEFAULT)`)
)

// foreignKeys finds those in the answer to SHOW CREATE TABLE.
func foreignKeys(definition string) (out []foreignKey) {
	for line := range strings.Lines(definition) {
		if m := constraintLine.FindStringSubmatch(strings.TrimRight(line, "\r\n")); m != nil && changesRows.MatchString(m[2]) {
			out = append(out, foreignKey{requoted(m[1]), strings.ToLower(strings.TrimSpace(m[2]))})
		}
	}
	return out
}

// requoted quotes a name that a definition quotes. MariaDB 11.4 does not double the quotes in it.
func requoted(name string) string {
	return quoteName(strings.ReplaceAll(name[1:len(name)-1], "``", "`"))
}

// cascades refuses a table whose rows a foreign key changes: the engine does that, and
// it is not in the log (M07). The table's definition is asked for, because MariaDB shows
// information_schema.REFERENTIAL_CONSTRAINTS to nobody who may only read the table.
func (t *tableInfo) cascades(ctx context.Context, s *session) (out []error) {
	rows, err := s.query(ctx, "SHOW CREATE TABLE "+t.sql())
	if err != nil {
		return []error{err}
	}
	for _, k := range foreignKeys(rows.text(0, 1)) {
		out = append(out, &pipeline.Refusal{
			Code: CodeCascade, Where: t.String(), What: "foreign key " + k.name + " changes its rows (" + k.actions + "), and such changes are not in the log",
			Mend: "ALTER TABLE " + t.sql() + " DROP FOREIGN KEY " + k.name + "; -- and add it again ON UPDATE RESTRICT ON DELETE RESTRICT\nor fk_cascades: accept, if its parents' keys are never changed or deleted",
		})
	}
	return out
}
