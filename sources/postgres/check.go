package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/sources/postgres/pgsql"
	"github.com/evertdb/evert/sources/postgres/preflight"
)

// A Report is what Check found, and the tables that a source would capture: those
// that it could, and those that only a right is lacking to.
type Report struct {
	Findings []pipeline.Finding
	Tables   []pgsql.TableName
}

// Check connects and gives everything that would keep a source from starting at
// from, everything worth knowing besides, and what was looked at and is fine.
// Where from is nil, it is not known where the source is, and its slot is not
// compared with that. Check changes nothing. An error means that the server could
// not be asked.
func Check(ctx context.Context, c Config, from *pipeline.Resume) (Report, error) {
	s := New(c)
	defer s.Close()
	known := from != nil
	if !known {
		from = &pipeline.Resume{}
	}
	was, err := s.ready(ctx, *from)
	if err != nil {
		found, err := failures(err)
		return Report{Findings: found}, err
	}
	var r Report
	for _, t := range slices.Concat(s.chosen.tables, s.chosen.denied) {
		r.Tables = append(r.Tables, t.TableName)
	}
	conn, err := s.dial(ctx)
	if err != nil {
		found, err := failures(err)
		r.Findings = append(found, fails(s.unready(ctx)...)...)
		return r, err
	}
	closeConn(conn.PgConn)
	var problems, later []error
	if known {
		problems, later = s.wrong(ctx, *from, was)
	} else {
		problems = s.unready(ctx)
	}
	if err := unasked(slices.Concat(problems, later)); err != nil {
		return r, err
	}
	r.Findings, err = s.lookAhead(ctx, *from, problems)
	for _, f := range fails(later...) {
		f.What += "; a copy of the table does not begin"
		r.Findings = append(r.Findings, pipeline.Found(pipeline.Warns, *f.Refusal))
	}
	if s.copying.from != nil {
		r.Findings = append(r.Findings, s.copying.from.look(ctx, s.system, s.side)...)
	}
	return r, err
}

// wrong gives what keeps the source from starting at from or has stopped tables there, and
// what is wrong with the conditions of tables that such a start does not look at.
func (s *Source) wrong(ctx context.Context, from pipeline.Resume, was state) (problems, later []error) {
	tables := slices.Clone(s.chosen.tables)
	problems = s.problems(ctx, from, was)
	for _, t := range s.stopped {
		problems = append(problems, t.told(s.facts.Database).Why)
	}
	if !isFresh(from) {
		later = s.conditions(ctx, tables, func(t *tableInfo) bool { return !s.isAdded(t, was) })
	}
	return problems, later
}

// unasked gives an error that says nothing of the server: it could not be asked.
func unasked(errs []error) error {
	for _, err := range errs {
		if err != nil && !errors.As(err, new(*pipeline.Refusal)) {
			return err
		}
	}
	return nil
}

// lookAhead says what is fine, what will hurt later, and the problems.
func (s *Source) lookAhead(ctx context.Context, from pipeline.Resume, problems []error) ([]pipeline.Finding, error) {
	o, err := preflight.LoadOutlook(ctx, s.config.terms(), s.side.query)
	if err != nil {
		return nil, fmt.Errorf("look at the server's transactions, slots and relations: %w", err)
	}
	return slices.Concat(s.fine(from, o, problems), s.facts.Warnings(s.config.InvalidText), o.Warnings(s.config.terms(), &s.facts.Server), s.facts.Platform.Warnings(s.config.Slot), s.pooled(ctx), s.scopeWarnings(o),
		s.baseBackup(ctx), fails(problems...)), nil
}

// terms are what of the configuration an outlook depends on.
func (c *Config) terms() preflight.Terms {
	return preflight.Terms{Slot: c.Slot, OldTransaction: c.OldTransaction, OldCatalog: c.OldCatalog, Connections: c.SnapshotWorkers + 2}
}

// ready reads what a start depends on.
func (s *Source) ready(ctx context.Context, from pipeline.Resume) (state, error) {
	if err := s.config.check(); err != nil {
		return state{}, err
	}
	was, err := s.resumed(from)
	if err != nil {
		return was, err
	}
	return was, s.look(ctx)
}

// failures makes findings of a refusal; other errors stay what they are.
func failures(err error) ([]pipeline.Finding, error) {
	if out := fails(err); len(out) > 0 {
		return out, nil
	}
	return nil, err
}

// fails makes a finding of each refusal.
func fails(errs ...error) []pipeline.Finding {
	var out []pipeline.Finding
	for _, err := range errs {
		var r *pipeline.Refusal
		if errors.As(err, &r) {
			out = append(out, pipeline.Finding{Refusal: r})
		}
	}
	return out
}

// fine says what was looked at and is as it has to be. What a problem is about
// is left out.
func (s *Source) fine(from pipeline.Resume, o *preflight.Outlook, problems []error) (all []pipeline.Finding) {
	f, ch := s.facts, s.chosen
	say := func(what string, about ...pipeline.Code) {
		if !slices.ContainsFunc(problems, func(err error) bool { return slices.Contains(about, pipeline.CodeOf(err)) }) {
			all = append(all, pipeline.Good(f.Database, what))
		}
	}
	say(fmt.Sprintf("Postgres %s is a primary with wal_level %s and encoding %s", f.VersionText(), f.WALLevel, f.Encoding),
		preflight.CodeVersion, preflight.CodeStandby, preflight.CodeWALLevel, preflight.CodeEncoding)
	say(fmt.Sprintf("%d of %d replication slots and %d of %d walsenders are free", f.MaxSlots-f.Slots, f.MaxSlots, f.MaxSenders-f.Senders, f.MaxSenders),
		preflight.CodeNoFreeSlot, preflight.CodeNoFreeSender)
	say("the session has the settings that values are printed with: "+s.config.settingsText(), preflight.CodeSettings)
	say(fmt.Sprintf("user %s may replicate and read the %d captured tables", f.User, len(ch.tables)), preflight.CodeRight)
	say(f.publicationText(&s.config, len(ch.tables)), CodePublication, CodeAllTables, CodePublicationGone, CodeUnpublished)
	say("keys: "+identities(ch.tables), CodeNoKey, CodeBadKey, CodeIdentity)
	if o.Sequences > 0 {
		say(fmt.Sprintf("sequences are not captured (there are %d): the numbers that rows took from them are", o.Sequences))
	}
	if f.KeepSizeMB >= 0 {
		say(fmt.Sprintf("a slot may hold back %d MB of log (max_slot_wal_keep_size)", f.KeepSizeMB))
	}
	if o.Calm() {
		say("no transaction has been open for long")
	}
	if !from.IsZero() {
		say(s.resumeText(from), CodeOtherServer, CodeSlotMissing, CodeSlotForeign, CodeSlotLost, CodeGap, CodeState)
	}
	return all
}

func (c *Config) settingsText() string {
	var list []string
	for _, s := range c.settings() {
		list = append(list, s.name+" = "+s.shown)
	}
	return strings.Join(list, ", ")
}

// identities counts the tables by what old rows carry (P15).
func identities(tables []*tableInfo) string {
	carries := []struct{ identity, text string }{
		{"d", "their primary key in old rows"}, {"i", "the columns of an index in old rows"}, {"f", "every column in old rows"},
	}
	var list []string
	for _, c := range carries {
		n := 0
		for _, t := range tables {
			if t.identity == c.identity {
				n++
			}
		}
		if n > 0 {
			list = append(list, fmt.Sprintf("%d tables carry %s", n, c.text))
		}
	}
	if list == nil {
		return "there is no table"
	}
	return strings.Join(list, ", ")
}

func (s *Source) resumeText(from pipeline.Resume) string {
	if from.At.IsZero() {
		return fmt.Sprintf("the snapshot that was begun is of this server (system %s, timeline %d)", s.system.id, s.system.timeline)
	}
	return fmt.Sprintf("the stored position %s is of this server (system %s, timeline %d), and slot %s has not moved past it",
		from.At.Native, s.system.id, s.system.timeline, s.config.Slot)
}

// baseBackup asks whether this user could copy the whole cluster: a line of
// pg_hba.conf with the keyword `replication` lets a role with the attribute
// REPLICATION do that, whatever it may read (X05).
func (s *Source) baseBackup(ctx context.Context) []pipeline.Finding {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	url, err := s.config.URL(ctx)
	if err != nil {
		return nil
	}
	conf, err := pgconn.ParseConfig(url)
	if err != nil {
		return nil
	}
	conf.RuntimeParams["replication"] = "true"
	conn, err := pgconn.ConnectConfig(ctx, conf)
	if err == nil {
		closeConn(conn)
		return []pipeline.Finding{pipeline.Found(pipeline.Warns, pipeline.Refusal{
			Code: CodeBaseBackup, Where: "user " + s.facts.User,
			What: "pg_hba.conf has a line with the keyword `replication` for it, so that it can copy the whole cluster, all databases and passwords' hashes included",
			Mend: "take that line out of pg_hba.conf: logical replication needs the database's name there, and not the keyword\nSELECT pg_reload_conf();",
		})}
	}
	if strings.HasPrefix(pgsql.State(err), "28") {
		return []pipeline.Finding{pipeline.Good(s.facts.Database, "user "+s.facts.User+" cannot copy the cluster: pg_hba.conf refuses it physical replication")}
	}
	return nil // too few walsenders, say: it could not be asked
}
