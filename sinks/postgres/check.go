package postgres

import (
	"context"
	"strings"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/schema"
)

// Check asks the server for everything that would keep the sink from working, and
// changes nothing; shape is that of the topic's rows, nil if it is not known. An
// error means that it could not be asked.
func Check(ctx context.Context, c Config, shape *schema.Table) ([]pipeline.Finding, error) {
	t := New(c)
	defer t.Close()
	var err error
	if t.conn, err = t.config.dial(ctx); err != nil {
		return told(err)
	}
	var found []pipeline.Finding
	for _, look := range []func(context.Context) ([]pipeline.Finding, error){t.lookForLoop, t.lookAtRights, t.lookAtTable(shape)} {
		more, err := look(ctx)
		if err != nil {
			return found, err
		}
		found = append(found, more...)
	}
	if pipeline.Failing(found) == nil {
		found = append(found, pipeline.Good(t.config.where(), "the sink may fill it and write to it"))
	}
	return found, nil
}

// told makes a finding of a refusal.
func told(err error) ([]pipeline.Finding, error) {
	if r, ok := err.(*pipeline.Refusal); ok {
		return []pipeline.Finding{pipeline.Found(pipeline.Fails, *r)}, nil
	}
	return nil, err
}

// rightsSQL lists what is missing, each with the words of a GRANT behind it.
const rightsSQL = `
WITH me AS (SELECT quote_ident(current_user) AS name),
     s AS (SELECT oid, quote_ident(nspname) AS name FROM pg_namespace WHERE nspname = ANY($1)),
     r AS (SELECT c.oid, c.oid::regclass::text AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
           WHERE (n.nspname, c.relname) IN (($2, $3), ($4, $5)))
SELECT 'CREATE and USAGE on schema ' || s.name, 'GRANT CREATE, USAGE ON SCHEMA ' || s.name || ' TO ' || me.name FROM s, me
WHERE NOT has_schema_privilege(s.oid, 'CREATE') OR NOT has_schema_privilege(s.oid, 'USAGE')
UNION ALL
SELECT 'TEMPORARY on the database', 'GRANT TEMPORARY ON DATABASE ' || quote_ident(current_database()) || ' TO ' || me.name FROM me
WHERE NOT has_database_privilege(current_database(), 'TEMPORARY')
UNION ALL
SELECT p.name || ' on ' || r.name, 'GRANT ' || p.name || ' ON ' || r.name || ' TO ' || me.name
FROM r, me, unnest('{SELECT,INSERT,UPDATE,DELETE}'::text[]) p(name) WHERE NOT has_table_privilege(r.oid, p.name)
UNION ALL
SELECT 'sight of all rows of ' || r.name || ', which row level security hides', 'ALTER ROLE ' || me.name || ' BYPASSRLS'
FROM r, me WHERE row_security_active(r.oid)`

func (t *Target) lookAtRights(ctx context.Context) (found []pipeline.Finding, err error) {
	c := &t.config
	rows, err := t.conn.Query(ctx, rightsSQL, []string{c.Table.Schema, c.Positions.Schema}, c.Table.Schema, c.Table.Name, c.Positions.Schema, c.Positions.Name)
	if err != nil {
		return nil, passing("ask for the role's rights", err)
	}
	defer rows.Close()
	var missing, grants []string
	for rows.Next() {
		var what, grant string
		if err := rows.Scan(&what, &grant); err != nil {
			return nil, err
		}
		missing, grants = append(missing, what), append(grants, grant+";")
	}
	if missing == nil || rows.Err() != nil {
		return nil, passing("ask for the role's rights", rows.Err())
	}
	return []pipeline.Finding{pipeline.Found(pipeline.Fails, pipeline.Refusal{Code: CodeRight, Where: c.where(),
		What: "the role lacks " + strings.Join(missing, "; "), Mend: strings.Join(grants, "\n")})}, nil
}

func (t *Target) lookAtTable(shape *schema.Table) func(context.Context) ([]pipeline.Finding, error) {
	return func(ctx context.Context) (found []pipeline.Finding, err error) {
		if t.target, err = loadRelation(ctx, t.conn, t.config.Table); err != nil {
			return nil, err
		}
		for _, look := range []func() error{
			func() error { return t.recall(ctx) },
			func() error { return t.mayTake(ctx) },
			func() error { return t.takes(shape) },
		} {
			if err := look(); err != nil {
				return told(err)
			}
		}
		if t.target == nil {
			found = append(found, pipeline.Good(t.config.where(), "it is not there yet; the sink makes it"))
		}
		return found, nil
	}
}

// takes compares the table with the shape of the topic's rows, if that is known.
func (t *Target) takes(shape *schema.Table) error {
	if shape == nil {
		return nil
	}
	return t.usable(shape)
}

// recall reads what the table of positions says, if it is there.
func (t *Target) recall(ctx context.Context) error {
	positions, err := loadRelation(ctx, t.conn, t.config.Positions)
	if positions == nil || err != nil {
		return err
	}
	err = t.conn.QueryRow(ctx, "SELECT coalesce(max(relation), 0), coalesce(bool_or(created), false) FROM "+t.config.Positions.sql()+" WHERE sink = $1", t.config.Name).
		Scan(&t.relation, &t.created)
	if err != nil {
		return passing("read "+t.config.Positions.String(), err)
	}
	return t.alone(ctx, t.target)
}

func (t *Target) lookForLoop(ctx context.Context) ([]pipeline.Finding, error) {
	if err := t.notCaptured(ctx); err != nil {
		return told(err)
	}
	return nil, nil
}
