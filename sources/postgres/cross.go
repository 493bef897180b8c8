package postgres

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pglogrepl"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/sources/postgres/pgsql"
)

// A drained source goes on on another server, which has the rows that the one before
// had (P41). The log of the new one is another: a slot is made where nobody has written
// yet, or the one is taken that pg_upgrade brought, and its place takes that of the old
// position. Tables have other numbers after a dump; they are told by their names. One
// that is not what it was is copied again.
//
//	old server      … rows ── place, drained ── shut down
//	                                │ the same rows
//	new server                      └── slot ── rows …

// crosses reports whether a drained source is on another server than the one it was
// drained on.
func (s *Source) crosses(was state) bool {
	return was.Drained != nil && (was.System != s.system.id || was.Drained.Version/10000 != s.version/10000)
}

// crossing tells why a drained source does not go on here.
func (s *Source) crossing(ctx context.Context, was state) (problems []error) {
	if was.Database != s.system.database {
		return []error{s.config.otherServer(&s.system, "database "+was.Database)}
	}
	problems = slices.Concat(s.facts.Refusals(s.config.InvalidText, s.facts.slot == nil), s.unpublishedBehind(was))
	if slot := s.facts.slot; slot != nil {
		problems = append(problems, s.slotRefusals(slot, slot.confirmed)...)
	}
	f, err := s.lookAtFence(ctx, fenceSeen{})
	if err != nil {
		return append(problems, err)
	}
	if was.Drained.Fenced && (!f.on || f.roles != "") {
		problems = append(problems, &pipeline.Refusal{
			Code: CodeReopened, Where: "database " + f.database,
			What: "it was read-only when the source was drained, and is not any more: rows may have been written before the source was here",
			Mend: "if nobody wrote: " + f.closeSQL() + "\nor " + s.config.ResetCommand,
		})
	}
	if writers := strings.Trim(f.subs+"; "+f.writers, "; "); s.facts.slot == nil && writers != "" {
		problems = append(problems, &pipeline.Refusal{
			Code: CodeReopened, Where: "database " + f.database,
			What: "there is no slot yet, so that what is written now is not read, and there are who write: " + writers,
			Mend: "end them, or roll them back, and disable subscriptions until the source streams\nor, if they have committed: " + s.config.ResetCommand,
		})
	}
	return problems
}

// unpublishedBehind refuses where the publication did not come along. Only tables that
// were captured count; others are copied when they are published.
func (s *Source) unpublishedBehind(was state) []error {
	before := was.names.byName()
	tables := slices.DeleteFunc(slices.Clone(s.chosen.tables), func(t *tableInfo) bool { return before[t.TableName] == 0 })
	switch missing := unpublished(tables); {
	case len(tables) == 0 && len(before) > 0:
		return []error{&pipeline.Refusal{Code: CodePublication, Where: "publication " + s.config.Publication,
			What: "none of the tables that were captured is on this server", Mend: "restore the dump; the source waits for that\nor, if they shall not come: " + s.config.ResetCommand}}
	case s.facts.publication == nil:
		return []error{&pipeline.Refusal{Code: CodePublication, Where: "publication " + s.config.Publication,
			What: "it did not come along to this server", Mend: behindFence(createPublicationSQL(&s.config, tables, s.version))}}
	case len(missing) > 0:
		return []error{&pipeline.Refusal{Code: CodeUnpublished, Where: "publication " + s.config.Publication,
			What: "on this server it does not have " + tableList(missing), Mend: behindFence(addTablesSQL(&s.config, missing))}}
	}
	return nil
}

// cross gives the place to go on from on this server, and the state that goes with it.
// It comes back the same if the slot was made and a crash kept the place from being
// committed: nobody may write before it is.
func (s *Source) cross(ctx context.Context, conn *replConn, from pipeline.Resume, was state) (pipeline.Resume, state, error) {
	if err := errors.Join(s.crossing(ctx, was)...); err != nil {
		return from, was, err
	}
	slot, err := s.slotBehind(ctx, conn)
	if err != nil {
		return from, was, err
	}
	if at, err := parseLSN(slot); err == nil {
		s.system.end = max(s.system.end, at) // the slot was made since the server was asked
	}
	now := s.behind(was, slot)
	from = pipeline.Resume{At: pipeline.Position{Seq: from.At.Seq + 1, Native: slot}, State: now.encode()}
	s.moved = &from
	s.config.Log.Info("going on on another server", "slot", s.config.Slot, "place", slot, "system", s.system.id, "tables", len(now.Tables), "of", len(was.Tables))
	return from, now, nil
}

// slotBehind gives where the slot begins on this server; it is made if it did not come
// along.
func (s *Source) slotBehind(ctx context.Context, conn *replConn) (place string, err error) {
	if s.facts.slot == nil {
		made, err := pglogrepl.ParseCreateReplicationSlot(conn.Exec(ctx, s.createSlotSQL("nothing")))
		if err != nil {
			return "", s.slotError(err)
		}
		if s.facts.slot, err = loadSlot(ctx, s.side, s.config.Slot); err != nil {
			return "", err
		}
		return made.ConsistentPoint, nil
	}
	at, err := parseLSN(s.facts.slot.confirmed)
	return at.String(), err
}

// behind gives a state with the numbers that its tables have on this server.
func (s *Source) behind(was state, slot string) state {
	now := state{System: s.system.id, Timeline: s.system.timeline, Database: was.Database, Slot: was.Slot, Publication: was.Publication, Copied: true, Point: slot}
	called, number := names{}, map[uint32]uint32{}
	before := was.names.byName()
	for _, t := range s.facts.tables {
		old, known := before[t.TableName]
		if !known || !was.stops(old) && !s.alike(t, was.Drained) {
			continue
		}
		number[old], called[t.oid] = t.oid, t.TableName
		now.Tables = append(now.Tables, t.oid)
	}
	slices.Sort(now.Tables)
	s.tellGone(before)
	for _, st := range was.Stopped {
		if st.OID = number[st.OID]; st.OID != 0 {
			now = now.stop(st)
		}
	}
	for _, c := range was.Copies {
		if c.OID = number[c.OID]; c.OID != 0 {
			now.Copies = append(now.Copies, c)
		}
	}
	return now.call(called)
}

// tellGone tells of tables that were captured and are not on this server. If they come
// later, they are copied.
func (s *Source) tellGone(before map[pgsql.TableName]uint32) {
	gone := maps.Clone(before)
	for _, t := range s.facts.tables {
		delete(gone, t.TableName)
	}
	for name := range gone {
		s.config.Log.Warn("the table is not on this server, and its topic stays as it was", "table", name.SQL(),
			"mend", "bring it here, and it is copied; or exclude_tables: ["+name.Schema+"."+name.Name+"]")
	}
}

// alike reports whether a captured table is what it was on the server before.
func (s *Source) alike(t *tableInfo, d *drained) bool {
	is, was := t.likeness(s.chosen.keys[t.oid]), d.Tables[t.SQL()]
	if is != was {
		s.config.Log.Warn("the table is not what it was before the upgrade, and is copied again", "table", t.TableName.SQL())
	}
	return is == was
}

// tellMoved says that the place on the new server is committed: from now on nothing is
// lost that is written there.
func (s *Source) tellMoved(durable pipeline.Position) {
	if s.moved != nil && durable == s.moved.At && !s.toldMoved.Swap(true) {
		open := (&fence{database: s.system.database}).openSQL()
		s.config.Log.Warn("the source goes on on this server, and writers may write", "slot", s.config.Slot, "position", fmt.Sprint(durable), "mend", open)
	}
}
