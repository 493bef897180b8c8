package mysql

import "github.com/evertdb/evert/pipeline"

// says does what a statement of the log means for captured tables, and gives those that
// it empties.
func (s *Source) says(st statement, database, text string) (emptied []*relation, err error) {
	for i := range st.tables {
		if st.tables[i].Database == "" {
			st.tables[i].Database = database
		}
	}
	switch st.kind {
	case stRows:
		return nil, s.rowsAsText(database, text)
	case stUnknown:
		return nil, s.unknown(database, text)
	case stDropAll:
		return nil, s.dropAll(st.tables[0])
	case stRename:
		return nil, s.renames(st.tables, st.why)
	case stCreate, stReplace, stAlter, stRewrite:
		if !s.config.AcceptCascades && cascading(text, false) {
			return nil, s.cascades(st.tables[0])
		}
	}
	for _, name := range st.tables {
		rel, err := s.defines(st, name)
		if err != nil {
			return nil, err
		}
		if rel != nil {
			emptied = append(emptied, rel)
		}
	}
	return emptied, nil
}

// cascades gives up a table that a foreign key was given which changes its rows without
// a word in the log (M07).
func (s *Source) cascades(name TableName) error {
	why := &pipeline.Refusal{
		Code: CodeCascade, Where: name.String(), What: "a foreign key was added that changes its rows by itself, and such changes are not in the log",
		Mend: s.config.again(name, "make it ON UPDATE RESTRICT ON DELETE RESTRICT, or set fk_cascades: accept if its parents' keys are never changed or deleted"),
	}
	rel := s.tables.find(name)
	if rel != nil && rel.shape != nil {
		rel.redefined(s.a.gtid)
		s.isAltered(rel)
		return s.a.stop(rel, why)
	}
	if wanted, _ := s.config.wants(name); wanted {
		s.leaveOut(why)
	}
	return nil
}

// isAltered notes that a table is not what it was.
func (s *Source) isAltered(rel *relation) {
	rel.stale, rel.current = true, false
	s.copies.look(rel)
	s.a.keepTables()
}

// defines does what a definition means for a table that it names.
func (s *Source) defines(st statement, name TableName) (emptied *relation, err error) {
	rel := s.tables.find(name)
	captured := rel != nil && rel.shape != nil
	if rel != nil && st.kind != stTruncate {
		rel.redefined(s.a.gtid)
	}
	if rel != nil && rel.missed() && st.kind != stDrop && st.kind != stTruncate {
		s.copies.add(name) // it may have become what can be captured
		s.a.keepTables()
		return nil, nil
	}
	switch st.kind {
	case stCreate, stReplace:
		switch {
		case !captured:
			s.isMade(name, st.why)
		case rel.stopped != nil && rel.stopped.Code == CodeTableMissing: // its copy was given up meanwhile
			s.copies.add(name)
			s.a.keepTables()
		case st.kind == stReplace:
			return nil, s.a.stop(rel, s.changed(name, "it was made anew"))
		}
	case stAlter:
		if captured {
			return nil, s.alters(rel, st)
		}
	case stRewrite, stExchange:
		if captured {
			return nil, s.rewritten(rel, st.why)
		}
		if st.kind == stExchange {
			s.isMade(name, st.why)
		}
	case stDrop:
		if captured {
			return nil, s.a.stop(rel, s.changed(name, "it was dropped"))
		}
	case stTruncate:
		if captured && rel.streams() {
			return rel, nil
		}
	}
	return nil, nil
}

// isMade begins to capture a table: from its rows in the log on, or if it may have others
// by a copy.
func (s *Source) isMade(name TableName, others string) {
	if wanted, _ := s.config.wants(name); !wanted {
		return
	}
	switch {
	case others != "":
		s.copies.add(name)
		s.a.keepTables()
	case s.tables.find(name) == nil:
		s.tables.add(&relation{TableName: name})
	}
}

// alters does what an ALTER TABLE means that keeps the rows, if it does.
func (s *Source) alters(rel *relation, st statement) error {
	if why := rel.alters(st); why != "" {
		return s.rewritten(rel, why)
	}
	s.isAltered(rel)
	return nil
}

func (s *Source) rewritten(rel *relation, why string) error {
	return s.a.stop(rel, s.changed(rel.TableName, "its rows were changed without a word in the log ("+why+")"))
}
