package postgres

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/sources/postgres/pgsql"
)

// What happens to a table without a word in the log is looked for in the catalog,
// now and then and at each start:
//
//	catalog                          means                                     then
//	the name differs, or is gone     renamed, moved, dropped                   the table stops
//	a partition of another table     its changes arrive under another name     the table stops
//	not in the publication           its changes do not arrive (P35)           the table stops
//	filter or column list differ,    rows came into scope, or left it, or      the table stops
//	or it came back into it          did not arrive meanwhile (P24, P35)
//	columns                          see catalog.allowed (P21)                 goes on, or stops
//	columns and the file             rewritten: values changed unseen (P21)    the table stops
//	the file alone                   VACUUM FULL, CLUSTER, TRUNCATE            goes on
//	a partition is gone, or its      detached, dropped, truncated by itself;   the table stops
//	file is another                  or VACUUM FULL of it (P22)
//	a partition came                 goes on if it had no rows then (P22)      goes on, or stops

// A standing is what the catalog says of a captured table now.
type standing struct {
	oid       uint32
	name      pgsql.TableName
	kind      string // pg_class.relkind
	partition bool   // of another table
	root      string // of a partition, as SQL
	published bool
	mark      mark
	numbers   string // of all columns that it has or had, each with the transaction that wrote it; ascending
	files     []fileFacts
}

// mostAt gives the highest number that a column had when the description of all was as a
// mark of then says; 0 if it is not known. Columns that only came since stand behind them.
func (st *standing) mostAt(columns uint32) int {
	for end := len(st.numbers); end > 0; end = strings.LastIndexByte(st.numbers[:end], ',') {
		if sum(st.numbers[:end]) != columns {
			continue
		}
		last := st.numbers[strings.LastIndexByte(st.numbers[:end], ',')+1 : end]
		number, _, _ := strings.Cut(last, " ")
		most, err := strconv.Atoi(number)
		if err != nil {
			return 0
		}
		return most
	}
	return 0
}

// A fileFacts is one relation with rows of its own.
type fileFacts struct {
	oid  string
	name pgsql.TableName
	hash uint32 // of OID, file, and the transactions that made it and those above it partitions
}

// standingsSQL is one statement, so that all of it is of one moment.
const standingsSQL = `
SELECT c.oid, n.nspname, c.relname, c.relkind, c.relispartition, CASE WHEN c.relispartition THEN pg_partition_root(c.oid)::text END,
       (SELECT string_agg(concat_ws(' ', a.attnum, a.xmin), ',' ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0),
       concat(c.relreplident, (SELECT string_agg(concat_ws(' ', i.indkey, i.indisprimary, i.indisreplident), ',' ORDER BY i.indexrelid)
         FROM pg_index i WHERE i.indrelid = c.oid AND (i.indisprimary OR i.indisreplident))),
       c.relnatts,
       EXISTS (SELECT FROM pg_publication p WHERE p.pubname = $2 AND %s),
       (SELECT concat_ws(' ', to_jsonb(p) - 'pubname' - 'pubowner', pr.oid, pr.xmin, to_jsonb(pr) -> 'prattrs', to_jsonb(pr) ->> 'prqual')
         FROM pg_publication p LEFT JOIN pg_publication_rel pr ON pr.prpubid = p.oid AND pr.prrelid = c.oid WHERE p.pubname = $2),
       (WITH RECURSIVE tree(relid, path) AS (
          SELECT c.oid, ''
          UNION ALL
          SELECT i.inhrelid, concat(tree.path, ' ', i.xmin) FROM tree JOIN pg_inherits i ON i.inhparent = tree.relid
          JOIN pg_class k ON k.oid = i.inhrelid WHERE k.relispartition)
        SELECT json_agg(json_build_array(f.oid::text, fn.nspname, f.relname, f.relfilenode::text, tree.path))
        FROM tree JOIN pg_class f ON f.oid = tree.relid JOIN pg_namespace fn ON fn.oid = f.relnamespace WHERE f.relkind = 'r')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = ANY($1::oid[])`

// standings reads what the catalog says of tables, by OID. Those that are gone are
// not among them. It waits for nobody who changes a table.
func (c *Config) standings(ctx context.Context, from *side, version int, oids []uint32) (map[uint32]*standing, error) {
	rs, err := from.query(ctx, fmt.Sprintf(standingsSQL, inPublication(version)), pgsql.OIDList(oids), c.Publication)
	if err != nil {
		return nil, fmt.Errorf("look at the tables: %w", err)
	}
	out := map[uint32]*standing{}
	for _, cols := range rs {
		r := pgsql.Record{Cols: cols}
		st := &standing{oid: r.OID(), name: pgsql.TableName{Schema: r.Text(), Name: r.Text()}, kind: r.Text(), partition: r.Bool(), root: r.Text()}
		st.numbers = r.Text()
		st.mark.columns, st.mark.key, st.mark.most = sum(st.numbers), sum(r.Text()), int(r.Int())
		st.published, st.mark.sent = r.Bool(), sum(r.Text())
		for _, f := range jsonRows(r.Text()) {
			st.add(f)
		}
		slices.Sort(st.mark.files)
		out[st.oid] = st
	}
	return out, nil
}

// add takes in a relation with rows of its own: OID, schema, name, file, path.
func (st *standing) add(words []string) {
	if len(words) != 5 {
		return
	}
	f := fileFacts{oid: words[0], name: pgsql.TableName{Schema: words[1], Name: words[2]}, hash: sum(words[0], words[3], words[4])}
	st.files = append(st.files, f)
	st.mark.files = append(st.mark.files, f.hash)
}

// takeMarks notes what the catalog says of the captured tables as their copy sees it.
func (s *Source) takeMarks(ctx context.Context, at *side) error {
	now, err := s.config.standings(ctx, at, s.version, slices.Collect(maps.Keys(*s.watched.Load())))
	if err != nil {
		return err
	}
	taken := marks{}
	for oid, st := range now {
		taken[oid] = st.mark
	}
	s.initial = s.initial.marked(taken)
	return nil
}

// A watch compares tables with what they were. Owned by Open, then by the poller.
type watch struct{ source *Source }

// diverged says what happened to a table unseen; nil if nothing that its earlier
// rows do not follow.
func (w *watch) diverged(ctx context.Context, was mark, st *standing) (*pipeline.Refusal, error) {
	c := &w.source.config
	gone, come := was.missing(st.mark), st.mark.missing(was)
	switch {
	case was.sent != st.mark.sent:
		return c.changed(st.name, "the publication sends other rows or columns of it than before, or did not have it meanwhile"), nil
	case st.kind == "r" && len(gone) > 0 && was.columns != st.mark.columns:
		return c.changed(st.name, "it was rewritten with other values"), nil
	case st.kind == "r":
		return nil, nil
	case len(gone) > 0:
		return c.changed(st.name, "a partition was detached, dropped, truncated by itself or rewritten"), nil
	}
	for _, f := range st.files {
		if !slices.Contains(come, f.hash) {
			continue
		}
		filled, err := w.filled(ctx, f)
		if err != nil {
			return nil, err
		}
		if filled {
			return c.changed(st.name, "partition "+f.name.Schema+"."+f.name.Name+" was attached with rows"), nil
		}
	}
	return nil, nil
}

// filled reports whether a partition has rows from before it was one. Who may not
// look says yes.
func (w *watch) filled(ctx context.Context, f fileFacts) (bool, error) {
	rs, err := w.source.side.query(ctx, `SELECT EXISTS (SELECT FROM `+f.name.SQL()+` l, (
		SELECT i.xmin, i.cmin FROM pg_partition_ancestors($1::oid) a JOIN pg_inherits i ON i.inhrelid = a.relid ORDER BY age(i.xmin) LIMIT 1) i
		WHERE age(l.xmin) > age(i.xmin) OR l.xmin = i.xmin AND l.cmin::text::bigint <= i.cmin::text::bigint)`, f.oid)
	switch pgsql.State(err) {
	case "":
	case "42501", "42P01": // gone since: the next look tells
		return true, nil
	}
	if err != nil {
		return false, err
	}
	return rs.Text(0, 0) == "t", nil
}

// A notice is what the poller found, for the owner of the stream to act on when
// everything before a place was read.
type notice struct {
	at   lsn
	oid  uint32
	name pgsql.TableName
	was  mark
	most int               // the highest number that a column had when it was so; 0: unknown
	why  *pipeline.Refusal // nil: nothing is wrong, and the table has another mark
	mark mark
}

// notices wait for the owner. Safe for any goroutine.
type notices struct {
	any atomic.Bool // cheap to ask
	mu  sync.Mutex
	all []notice
}

// set replaces what waits by what was found last.
func (n *notices) set(all []notice) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.all = all
	n.any.Store(len(all) > 0)
}

// due takes what is to be acted on once everything before a place was read.
func (n *notices) due(read receivedLSN) []notice {
	if !n.any.Load() {
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.all) == 0 || receivedLSN(n.all[0].at) > read {
		return nil
	}
	all := n.all
	n.all = nil
	n.any.Store(false)
	return all
}

// look compares the captured tables with what they were, and leaves what it found to
// the owner of the stream.
func (w *watch) look(ctx context.Context) error {
	seen := w.source.a.seen.Load()
	all, err := w.found(ctx, seen, seen.read())
	if err != nil {
		return err
	}
	return w.tell(ctx, all)
}

// found says what is to be done about tables.
func (w *watch) found(ctx context.Context, seen *state, oids []uint32) (all []notice, err error) {
	if len(oids) == 0 {
		return nil, nil
	}
	s := w.source
	now, err := s.config.standings(ctx, s.side, s.version, oids)
	if err != nil {
		return nil, err
	}
	if err := w.publication(ctx, now); err != nil {
		return nil, err
	}
	for _, oid := range oids {
		n, err := w.compare(ctx, seen, oid, now[oid])
		if pgsql.LockedOut(err) {
			continue // the next look tells
		}
		if err != nil {
			return nil, err
		}
		if n != nil {
			all = append(all, *n)
		}
	}
	return all, nil
}

// publication refuses to go on when the publication itself is gone (P34).
func (w *watch) publication(ctx context.Context, now map[uint32]*standing) error {
	for _, st := range now {
		if st.published {
			return nil
		}
	}
	p, err := loadPublication(ctx, w.source.side, w.source.config.Publication)
	if err == nil && p == nil {
		return publicationGone(&w.source.config)
	}
	return err
}

// tell leaves what was found to the owner of the stream.
func (w *watch) tell(ctx context.Context, all []notice) error {
	if len(all) > 0 {
		rs, err := w.source.side.query(ctx, "SELECT pg_current_wal_lsn()")
		if err != nil {
			return err
		}
		at, err := parseLSN(rs.Text(0, 0))
		if err != nil {
			return err
		}
		for i := range all {
			all[i].at = at
		}
	}
	w.source.notices.set(all)
	if st := w.source.current.Load(); st != nil && len(all) > 0 {
		st.wakeUp()
	}
	return nil
}

// compare gives what is to be done about one table; nil: nothing.
func (w *watch) compare(ctx context.Context, seen *state, oid uint32, st *standing) (*notice, error) {
	name := seen.names[oid]
	was, marked := seen.marks[oid]
	why, err := w.moved(ctx, name, st)
	if err == nil && why == nil && (was.columns != st.mark.columns || was.key != st.mark.key) {
		why, err = w.described(ctx, seen, oid, name)
	}
	if err == nil && why == nil && marked { // also if it had no partition yet
		why, err = w.diverged(ctx, was, st)
	}
	switch {
	case err != nil:
		return nil, err
	case why != nil:
		return &notice{oid: oid, name: name, was: was, why: why}, nil
	case !was.equal(st.mark):
		n := &notice{oid: oid, name: name, was: was, most: was.most, mark: st.mark}
		if n.most == 0 { // the state of an earlier release
			n.most = st.mostAt(was.columns)
		}
		return n, nil
	}
	return nil, nil
}

// moved says that a table is not where it was.
func (w *watch) moved(ctx context.Context, name pgsql.TableName, st *standing) (*pipeline.Refusal, error) {
	c := &w.source.config
	switch {
	case st == nil:
		return c.dropped(name), nil
	case st.name != name:
		all, err := loadTables(ctx, w.source.side, false)
		return c.renamed(name, st.name, all), err
	case st.partition && w.source.viaRoot:
		return (&tableInfo{TableName: name, partition: true, root: st.root}).otherName(c), nil
	case !st.published:
		return c.unpublished(&tableInfo{TableName: name}), nil
	}
	return nil, nil
}

// described compares the columns and the key of a table with those of its earlier
// rows.
func (w *watch) described(ctx context.Context, seen *state, oid uint32, name pgsql.TableName) (*pipeline.Refusal, error) {
	s := w.source
	info, sh, err := s.catalog.shapeNow(ctx, s.side, oid)
	switch {
	case concerning(err, name) != nil:
		return concerning(err, name), nil
	case err != nil || info == nil || info.TableName != name: // gone since: the next look tells
		return nil, err
	}
	if key, ok := (*s.watched.Load())[oid]; ok && !slices.Equal(key, sh.keyNames()) {
		return s.config.keyChanged(name, sh), nil
	}
	return ofTable(s.catalog.allowed(seen.kept[oid], sh, info)), nil
}

// shapeNow gives a table and its shape as the catalog has them; nil if it is gone.
func (cat *catalog) shapeNow(ctx context.Context, at *side, oid uint32) (*tableInfo, *shape, error) {
	all, err := loadTables(ctx, at, false)
	info := withOID(all, oid)
	if err != nil || info == nil {
		return nil, nil, err
	}
	if err := describe(ctx, at, []*tableInfo{info}); err != nil {
		return nil, nil, err
	}
	if err := markPublished(ctx, at, cat.version, cat.config.Publication, []*tableInfo{info}); err != nil {
		return nil, nil, err
	}
	key, refusal := info.capturable(cat.config)
	if refusal != nil {
		return nil, nil, refusal
	}
	var oids []uint32
	for _, c := range info.columns {
		oids = append(oids, c.typ)
	}
	ts, err := loadTypes(ctx, at, oids)
	if err != nil {
		return nil, nil, err
	}
	return info, shapeOf(info, ts, key, 0), nil
}

// read gives the tables that are read on.
func (s *state) read() (oids []uint32) {
	for _, oid := range s.Tables {
		if !s.stops(oid) {
			oids = append(oids, oid)
		}
	}
	return oids
}

// heed acts on what the poller found, between two transactions.
func (a *assembler) heed(all []notice) error {
	if err := a.flush(); err != nil {
		return err
	}
	for _, n := range all {
		r := a.rels[n.oid]
		if r == nil || r.halted || !a.state.marks[n.oid].equal(n.was) {
			continue // followed anew since
		}
		if n.why == nil {
			a.keep(a.state.marked(a.state.marks.with(n.oid, n.mark)))
			continue
		}
		a.halt(r, newStop(n.oid, n.name, n.why))
		a.endWhole(a.idleTime)
	}
	a.settle()
	return a.flush()
}
