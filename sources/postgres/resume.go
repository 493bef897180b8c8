package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/sources/postgres/pgoutput"
	"github.com/evertdb/evert/sources/postgres/pgsql"
)

// What makes a stored position valid: the same server and history (P39), the same
// slot, not moved past it (P02, P03), and tables whose earlier rows were copied.

// sameServer compares the server of a new connection with that of the last. A
// standby that was promoted meanwhile is the same, if it has all that was read.
func (s *Source) sameServer(sys system) error {
	place := ""
	if s.a != nil {
		place = lsn(s.a.atLSN).String()
	}
	was := state{System: s.system.id, Timeline: s.system.timeline, Database: s.system.database}
	if err := errors.Join(s.otherServer(sys, was, place)...); err != nil || s.a == nil {
		return err
	}
	if sys.timeline != s.system.timeline {
		s.config.Log.Warn("the server was promoted; going on behind it", "timeline", sys.timeline, "position", place)
		now := s.a.state
		now.Timeline = sys.timeline
		s.a.keep(now)
	}
	return nil
}

func (s *Source) identityRefusals(was state, at string) []error {
	out := s.otherServer(s.system, was, at)
	if was.Slot != s.config.Slot {
		out = append(out, &pipeline.Refusal{
			Code: CodeOtherServer, Where: "slot " + s.config.Slot,
			What: "the stored position is of slot " + was.Slot, Mend: "slot: " + was.Slot + "\nor " + s.config.ResetCommand,
		})
	}
	return out
}

// otherServer tells why a position, with what was stored beside it, is none of a
// server.
func (s *Source) otherServer(is system, was state, at string) []error {
	switch {
	case was.System != is.id:
		return []error{s.config.otherServer(&is, fmt.Sprintf("server %s and this is server %s", was.System, is.id))}
	case was.Database != is.database:
		return []error{s.config.otherServer(&is, "database "+was.Database)}
	case was.Timeline != is.timeline:
		if err := is.follows(was.Timeline, at, &s.config); err != nil {
			return []error{err}
		}
	default:
		if err := is.reaches(at, &s.config); err != nil {
			return []error{err}
		}
	}
	return nil
}

func (c *Config) otherServer(is *system, what string) error {
	return &pipeline.Refusal{
		Code: CodeOtherServer, Where: is.database, What: "the stored position is of " + what,
		Mend: "url: that of the server captured so far\nor " + c.ResetCommand,
	}
}

// slotRefusals compares the slot with the place to go on from. A slot that was
// confirmed further than that skips what lies between, without a word (P02, P03).
func (s *Source) slotRefusals(slot *slotFacts, from string) []error {
	where := "slot " + s.config.Slot
	say := func(code pipeline.Code, what string) []error {
		return []error{&pipeline.Refusal{Code: code, Where: where, What: what, Mend: s.config.ResetCommand}}
	}
	switch {
	case slot == nil:
		return say(CodeSlotMissing, "it is gone, and the changes after "+from+" with it")
	case slot.plugin != "pgoutput" || slot.database != s.system.database:
		return say(CodeSlotForeign, fmt.Sprintf("it is of plugin %q and database %q", slot.plugin, slot.database))
	case slot.lost():
		return []error{s.slotLost(slot)}
	}
	confirmed, err1 := parseLSN(slot.confirmed)
	at, err2 := parseLSN(from)
	switch {
	case err1 != nil || err2 != nil:
		return []error{errors.Join(err1, err2)}
	case confirmed > at:
		return say(CodeGap, fmt.Sprintf("it was confirmed up to %s, beyond the stored position %s; the changes in between were read by somebody else, or the slot was made anew", confirmed, at))
	}
	return nil
}

func (sl *slotFacts) lost() bool { return sl.walStatus == "lost" || sl.restart == "" || sl.cause != "" }

func (s *Source) slotLost(slot *slotFacts) error {
	what := "the server gave it up"
	if slot != nil && slot.cause != "" {
		what += " (" + slot.cause + ")"
	}
	return &pipeline.Refusal{
		Code: CodeSlotLost, Where: "slot " + s.config.Slot,
		What: what + ", because it held back more log than max_slot_wal_keep_size allows",
		Mend: s.config.ResetCommand,
	}
}

// leftover looks at a slot that is there before a snapshot begins. It is ours if
// the intent to make it was stored; then it is dropped (P10).
func (s *Source) leftover(was state) []error {
	slot := s.facts.slot
	if slot == nil || was.Slot == slot.name && slot.plugin == "pgoutput" && slot.database == s.system.database {
		return nil
	}
	mend := "SELECT pg_drop_replication_slot(" + pgsql.QuoteLiteral(slot.name) + ");"
	if slot.active {
		mend = "slot: another name, because another process reads from this one"
	}
	return []error{&pipeline.Refusal{
		Code: CodeSlotExists, Where: "slot " + slot.name,
		What: "it exists, and nothing stored says that it is ours", Mend: mend,
	}}
}

// keepCopied puts tables aside that were never copied: they are copied while the
// others go on. Where the user may not publish one it is refused if it was named, and
// told if a pattern matched, which does not stop the others (I8). One that was made
// under the name of a table that has stopped is told of by that.
func (s *Source) keepCopied(copied func(*tableInfo) bool) {
	s.chosen.tables = slices.DeleteFunc(s.chosen.tables, func(t *tableInfo) bool {
		if copied(t) {
			return false
		}
		if slices.ContainsFunc(s.stopped, func(st stop) bool { return st.name() == t.TableName }) {
			return true
		}
		if t.published || t.owned && s.facts.publication != nil && s.facts.publication.owned {
			s.copying.request(copyRequest{oid: t.oid, name: t.TableName})
			return true
		}
		r := s.tableAdded(t)
		if _, named := s.config.wants(t.TableName); named {
			s.chosen.refusals = append(s.chosen.refusals, r)
		} else {
			s.chosen.skipped = append(s.chosen.skipped, r)
		}
		return true
	})
}

// captured gives the state of the place to go on from: its tables are those
// captured now, and those that have stopped. One that is left out from here on
// misses changes, and counts as never copied when it comes back.
func (s *Source) captured(was state) state {
	k, called, seen := kept{}, names{}, marks{}
	was.Tables, was.Part, was.Last, was.Stopped = nil, nil, nil, s.stopped
	for _, t := range s.stopped {
		was.Tables = append(was.Tables, t.OID)
		called[t.OID] = t.name()
	}
	for _, sh := range s.shapes {
		if was.stops(sh.oid) {
			continue
		}
		was.Tables = append(was.Tables, sh.oid)
		called[sh.oid] = pgsql.TableName{Schema: sh.table.Schema, Name: sh.table.Name}
		if m, known := was.marks[sh.oid]; known {
			seen[sh.oid] = m
		}
		if k[sh.oid] = was.kept[sh.oid]; k[sh.oid] == nil {
			k[sh.oid] = sh.columns
		}
	}
	slices.Sort(was.Tables)
	was.Copies = slices.DeleteFunc(slices.Clone(was.Copies), func(t tableCopy) bool { return !was.holds(t.OID) })
	return was.keep(k).call(called).marked(seen)
}

// tableAdded refuses a table that came later and that the user may not publish.
func (s *Source) tableAdded(t *tableInfo) *pipeline.Refusal {
	return t.refuse(CodeTableAdded, "it came later, and is copied once it is in publication "+s.config.Publication+", which user "+s.facts.User+" may not change",
		addTablesSQL(&s.config, []*tableInfo{t})+"\nor exclude the table")
}

// lookUp answers the assembler: the shape of rows that a Relation message
// announces, nil for tables that are not captured. before is what its earlier rows
// were written under, nil if there are none. A table that was renamed is refused
// as long as it is not renamed back.
func (s *Source) lookUp(m *pgoutput.RelationMessage, before []shapeColumn) (*shape, error) {
	name := pgsql.TableName{Schema: string(m.Namespace), Name: string(m.Name)}
	if before == nil && !s.initial.holds(m.ID) {
		s.follow(m.ID, name)
		return nil, nil
	}
	if known, ok := s.initial.names[m.ID]; ok {
		name = known // whatever it was called at this place of the log
	}
	if before == nil && !s.config.captures(name) {
		return nil, nil // left out by the configuration since it was copied
	}
	var out *shape
	most := s.a.state.marks[m.ID].most
	err := s.whileAlive(func(ctx context.Context) (err error) {
		out, err = s.catalog.shapeFromRelation(ctx, m, name, written{before, most})
		return err
	})
	if err == nil && out != nil {
		err = s.reads(out)
	}
	if err == nil && out == nil {
		return nil, s.config.dropped(name)
	}
	if err == nil {
		s.config.Log.Info("table has a new shape", "table", out.table.String(), "version", out.table.Version)
	}
	return out, err
}

// whileAlive runs f, which waits for the server, and goes on answering the stream
// meanwhile.
func (s *Source) whileAlive(f func(ctx context.Context) error) error {
	st := s.current.Load()
	done := make(chan struct{})
	var err error
	go func() {
		defer close(done)
		err = f(s.life.Ended)
	}()
	if st == nil {
		<-done
		return err
	}
	if waitErr := st.waitFor(s.life.Ended, done); waitErr != nil {
		<-done // f ends with s.life.Ended or with its answer; it must not outlive us
		return errors.Join(waitErr, err)
	}
	return err
}

// publish makes the publication, or adds tables to it, before the slot is made
// (P34).
func (s *Source) publish(ctx context.Context) error {
	var sql string
	missing := unpublished(s.chosen.tables)
	switch {
	case s.facts.publication == nil:
		sql = createPublicationSQL(&s.config, s.chosen.tables, s.version)
	case len(missing) > 0:
		sql = addTablesSQL(&s.config, missing)
	default:
		return nil
	}
	if _, err := s.side.query(ctx, sql); err != nil {
		return &pipeline.Refusal{
			Code: CodePublication, Where: "publication " + s.config.Publication, What: "it cannot be made", Err: err, Mend: sql,
		}
	}
	s.config.Log.Info("publication is ready", "publication", s.config.Publication, "tables", len(s.chosen.tables))
	// What the new publication sends of each table is known only now.
	return markPublished(ctx, s.side, s.version, s.config.Publication, s.facts.tables)
}

// explain turns what the server says while it streams into a refusal, if a
// person has to act; other errors pass with a new connection.
func (s *Source) explain(err error) error {
	code, text := pgsql.State(err), err.Error()
	switch {
	case code == "42704" && strings.Contains(text, "publication"):
		return publicationGone(&s.config)
	case code == "42704" && strings.Contains(text, "replication slot"):
		return errors.Join(s.slotRefusals(nil, s.a.at.Native)...)
	case lost(code, text):
		return s.slotLost(nil)
	case s.unprintable(err):
		return errForm
	}
	return s.faults.add(err, s.a.atLSN, &s.config)
}
