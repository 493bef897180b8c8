package postgres

import (
	"context"
	"errors"
	"slices"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/sources/postgres/pgsql"
)

// standing gives the tables of a stored state that are not read on: those that had
// stopped, and those that the catalog shows to be in trouble now, whether or not a
// row in the log would tell (P20). What the configuration leaves out is forgotten.
func (s *Source) standing(was state) (all []stop) {
	for _, oid := range was.Tables {
		info := withOID(s.facts.tables, oid)
		name, known := was.names[oid]
		if !known && info != nil {
			name = info.TableName // stored before names were
		}
		if !s.config.captures(name) {
			continue
		}
		if i := slices.IndexFunc(was.Stopped, func(t stop) bool { return t.OID == oid }); i >= 0 {
			all = append(all, was.Stopped[i])
		} else if why := s.trouble(name, info); why != nil {
			all = append(all, newStop(oid, name, why))
		}
	}
	return all
}

// trouble says why a table cannot be read on; nil if it can. name is that of its
// earlier rows, info what the catalog has now, nil if it is gone.
func (s *Source) trouble(name pgsql.TableName, info *tableInfo) *pipeline.Refusal {
	switch {
	case info == nil:
		return s.config.dropped(name)
	case info.TableName != name:
		return s.config.renamed(name, info.TableName, s.facts.tables)
	case info.hidden(s.viaRoot):
		return info.otherName(&s.config)
	case !info.published:
		return s.config.unpublished(info)
	}
	where := name.Schema + "." + name.Name
	for _, err := range s.chosen.refusals {
		var r *pipeline.Refusal
		if errors.As(err, &r) && r.Where == where {
			return r
		}
	}
	for _, r := range s.chosen.skipped {
		if r.Where == where {
			return r
		}
	}
	return nil
}

// spare takes out of what was chosen the tables that have stopped, and what is
// wrong with them: they do not keep the others from going on.
func (s *Source) spare(stopped []stop) {
	about := func(r *pipeline.Refusal) bool {
		return slices.ContainsFunc(stopped, func(t stop) bool { return t.Schema+"."+t.Name == r.Where })
	}
	s.chosen.tables = slices.DeleteFunc(s.chosen.tables, func(t *tableInfo) bool {
		return slices.ContainsFunc(stopped, func(st stop) bool { return st.OID == t.oid })
	})
	s.chosen.skipped = slices.DeleteFunc(s.chosen.skipped, about)
	s.chosen.refusals = slices.DeleteFunc(s.chosen.refusals, func(err error) bool {
		var r *pipeline.Refusal
		return errors.As(err, &r) && (about(r) || r.Code == CodeNoTables && len(stopped) > 0 || s.skips(r))
	})
}

// skips leaves out a table that only a pattern matched and that was never copied: what
// is wrong with it does not keep those from going on that were.
func (s *Source) skips(r *pipeline.Refusal) bool {
	for _, t := range s.facts.tables {
		wanted, named := s.config.wants(t.TableName)
		if wanted && !named && t.Schema+"."+t.Name == r.Where {
			s.chosen.skipped = append(s.chosen.skipped, r)
			return true
		}
	}
	return false
}

// compare stops tables to which something happened since the stored place that their
// earlier rows do not follow, whether or not a row in the log would tell (P21, P22).
// Those that look otherwise for another reason are compared again with what the log
// says. It gives the state with what the catalog says now.
func (s *Source) compare(was state, found []notice) state {
	for _, n := range found {
		if n.why != nil {
			s.stopped = append(s.stopped, newStop(n.oid, n.name, n.why))
			s.a.rels[n.oid].halted = true
			continue
		}
		n.mark.most = n.most // the catalog of now is not that of the stored place
		was = was.marked(was.marks.with(n.oid, n.mark))
	}
	for _, sh := range s.shapes {
		if before := was.kept[sh.oid]; before != nil && !slices.Equal(before, sh.columns) {
			s.a.rels[sh.oid].before = before
		}
	}
	return was
}

// describeStopped describes the tables that have stopped as the catalog has them, so
// that they are known to whoever may have them copied again. One that is gone or renamed,
// also since the catalog was read, or cannot be captured as it is, is told of as stopped
// alone: under another name it would be one that has all of its rows.
func (s *Source) describeStopped(ctx context.Context) error {
	for _, t := range s.stopped {
		i := slices.IndexFunc(s.facts.tables, func(info *tableInfo) bool { return info.TableName == t.name() })
		if i < 0 {
			continue
		}
		info, sh, err := s.catalog.shapeNow(ctx, s.side, s.facts.tables[i].oid)
		if err != nil && !errors.As(err, new(*pipeline.Refusal)) {
			return err
		}
		if err == nil && info != nil && info.TableName == t.name() {
			sh.table.Version = s.catalog.nextVersion(sh.oid)
			s.resting = append(s.resting, sh.table)
		}
	}
	return nil
}

// holdsAs reports whether a table was copied, under this name if names are known.
func (s state) holdsAs(t *tableInfo) bool {
	known, ok := s.names[t.oid]
	return s.holds(t.oid) && (!ok || known == t.TableName)
}

// dropped refuses a table that is gone.
func (c *Config) dropped(name pgsql.TableName) *pipeline.Refusal {
	return &pipeline.Refusal{
		Code: CodeTableDropped, Where: name.Schema + "." + name.Name, What: "the table was dropped, and its topic stays as it was",
		Mend: "exclude the table\nor, if there is a new one of this name: " + c.copyAgain(name),
	}
}
