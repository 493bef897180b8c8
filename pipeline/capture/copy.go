package capture

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/schema"
)

// errorID begins the ID of a copy that an error asked for, and nobody else.
const errorID = "error/"

// ErrorID is the ID of the copy that mends a stop by itself: the same over restarts,
// and another one for every stop.
func ErrorID(why log.Stop) string {
	return errorID + string(why.Code) + "/" + strconv.FormatInt(why.At.UnixMicro(), 10)
}

// Mends reports whether a copy can mend a stop for this reason. A schema that is
// refused is refused again, and what a person decided is a person's to undo.
func Mends(code pipeline.Code) bool {
	switch code {
	case codeIncompatible, codeKeyChanged, codeTruncated, CodePaused:
		return false
	}
	return true
}

// copies takes in which tables' copies begin, or are done.
func (s *Sink) copies(ctx context.Context, copies []pipeline.TableCopy) error {
	for i := range copies {
		c := &copies[i]
		if c.Done {
			s.copyDone(c)
		} else if err := s.copyBegins(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

func (s *Sink) copyBegins(ctx context.Context, c *pipeline.TableCopy) error {
	if !c.Routed {
		if refused, err := s.refit(ctx, c.Table, c.ID); err != nil || refused {
			return err
		}
	}
	origin := c.Of().String()
	if c.Also != nil {
		s.running[origin] = *c
	}
	for _, topic := range s.topicsOf(c) {
		delete(s.joined, topic)
		switch {
		case s.next.Tables[topic].ID == "":
			s.joined[topic] = origin // it has no topic: its first row makes one
		case c.Adds:
			s.copyBeside(topic)
		default:
			if err := s.copyAgain(ctx, topic, c.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

// topicsOf gives the topics that a copy is one of, as far as they are known: also the one
// that the table of the source would have, if it was given up under that name.
func (s *Sink) topicsOf(c *pipeline.TableCopy) []string {
	topics := s.also(c.Also)
	if own := s.wanted(c.Table).Name; !c.Routed && !slices.Contains(topics, own) {
		topics = append([]string{own}, topics...)
	}
	named := s.wanted(c.Of()).Name
	if state, known := s.next.Tables[named]; known && state.ID == "" && !slices.Contains(topics, named) {
		topics = append(topics, named)
	}
	return topics
}

func (s *Sink) copyDone(c *pipeline.TableCopy) {
	origin := c.Of().String()
	delete(s.running, origin)
	for _, topic := range s.topicsOf(c) {
		if s.next.Tables[topic].ID != "" {
			delete(s.joined, topic)
			s.copied(topic)
		}
	}
	for topic, by := range s.joined {
		if by == origin {
			delete(s.joined, topic)
			s.copied(topic)
		}
	}
}

// copyBeside is the begin of a copy whose rows come beside those that a topic holds:
// it is OK again when they are all here.
func (s *Sink) copyBeside(topic string) {
	state := s.next.Tables[topic]
	if state.State == log.Stopped {
		return // rows of other tables are missing too
	}
	state.State, state.Owed = log.Copying, false // the end of the copy owes what is void
	s.forgive(topic)
	s.set(topic, state)
}

// joins begins a table that a row is the first of while it is copied: it is OK when
// that copy is done.
func (s *Sink) joins(tab *table, state *log.TableState) bool {
	for _, origin := range slices.Sorted(maps.Keys(s.running)) {
		if c := s.running[origin]; c.Also(tab.Schema, tab.Name) {
			state.State, state.Owed = log.Copying, false
			noteCopy(state, c.ID)
			s.joined[tab.topic] = origin
			return true
		}
	}
	return false
}

// refit makes the table of a copy known. One whose schema is refused stays where it
// stopped, and says why; its request is done with, so that nobody waits for it.
func (s *Sink) refit(ctx context.Context, t *schema.Table, id string) (refused bool, err error) {
	tab, err := s.table(ctx, t)
	if err != nil || tab.refused == nil {
		return false, err
	}
	why := s.register(ctx, tab)
	if why != nil && !stopsTable(why) {
		return false, why
	}
	if tab.refused = why; why == nil {
		return false, nil
	}
	state := s.next.Tables[tab.topic]
	state.State = 0 // so that it stops for this reason, whatever it was before
	noteCopy(&state, id)
	s.set(tab.topic, state)
	return true, s.halt(tab.topic, t, why)
}

// copyAgain makes everything that a topic holds superseded: before the table is OK
// again, each of its keys gets a newer record, of the copy or a tombstone. The
// generation stays, so that readers keep the older rows until then.
func (s *Sink) copyAgain(ctx context.Context, topic, id string) error {
	ends, err := s.ends(ctx, topic)
	if err != nil {
		return err
	}
	for p, from := range ends {
		s.next.Offsets[log.TopicPartition{Topic: topic, Partition: int32(p)}] = from
	}
	state := s.next.Tables[topic]
	if state.Append {
		s.copyBehind(topic, id)
		return nil
	}
	state.State, state.From, state.Owed, state.Why = log.Copying, ends, false, log.Stop{}
	state.Cut, state.Buried = false, false
	if s.index == nil {
		state.Generation++ // nobody finds the keys that vanish: the rows are void
	}
	noteCopy(&state, id)
	s.forgive(topic)
	delete(s.awaited, topic)
	s.set(topic, state)
	return nil
}

// noteCopy keeps for what a table was copied: for an error once, until people ask.
func noteCopy(state *log.TableState, id string) {
	code, isError := strings.CutPrefix(id, errorID)
	code, _, _ = strings.Cut(code, "/")
	switch {
	case id == "":
	case !isError:
		state.Asked, state.Tried = id, ""
	case !state.HasTried(pipeline.Code(code)):
		state.Tried = strings.TrimSpace(state.Tried + " " + code)
	}
}

// ends gives the end of every partition of a topic, behind all that was ever
// written: also behind the rows of a transaction in which its table stopped, which
// the frontier leaves out.
func (s *Sink) ends(ctx context.Context, topic string) ([]int64, error) {
	if err := s.flushRecords(ctx); err != nil {
		return nil, err
	}
	touched, err := s.writer.Flush(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.Holding(ctx, topic); err != nil {
		return nil, err
	}
	infos, err := s.Log.Admin().Topics(ctx, topic)
	if err != nil {
		return nil, err
	}
	if len(infos) == 0 {
		return nil, s.topicGone(topic, false)
	}
	ends := make([]int64, len(infos[0].Ends))
	for p := range ends {
		tp := log.TopicPartition{Topic: topic, Partition: int32(p)}
		ends[p] = max(infos[0].Ends[p].Stable, touched[tp], s.next.Offsets[tp], s.beyond[tp])
	}
	return ends, nil
}

// copied notes that the rows of a copy are all here. Keys without one are gone from
// the source; the table is OK behind the last of their tombstones.
func (s *Sink) copied(topic string) {
	state := s.next.Tables[topic]
	switch {
	case state.ID == "": // it was given up before it had a topic, and has no row
		state.State, state.Why = log.OK, log.Stop{}
		s.set(topic, state)
		return
	case state.State != log.Copying:
		return // it stopped meanwhile
	case state.Append:
		state.State = log.OK
		s.set(topic, state)
		return
	}
	if state.Owed = true; s.index == nil || okBeforeTombstones() {
		state.State = log.OK
	}
	s.set(topic, state)
	s.owe(topic)
}

// isAwaited reports whether a row that cannot be filled is one that the copy brings.
// The key has no record of the copy yet, and the source has the row no more, so what
// took it away follows: until then the table is not OK.
func (s *Sink) isAwaited(tab *table, err error) bool {
	if pipeline.CodeOf(err) != codeUnknown {
		return false
	}
	state := s.next.Tables[tab.topic]
	return state.State == log.Copying && !state.Owed && !tab.appends && len(s.awaited[tab.topic]) < mostAwaited
}

// mostAwaited bounds the keys that a copy waits for: one more stops its table.
const mostAwaited = 100_000

// await notes a key whose next change ends what a row that was left out began.
func (s *Sink) await(tab *table, row schema.Row) error {
	key, err := s.key(tab, row)
	if err != nil {
		return err
	}
	if s.awaited[tab.topic] == nil {
		s.awaited[tab.topic] = map[string]bool{}
	}
	s.awaited[tab.topic][string(key)] = true
	return nil
}

// arrive notes a change of a key.
func (s *Sink) arrive(topic string, key []byte) {
	if keys := s.awaited[topic]; keys != nil {
		if delete(keys, string(key)); len(keys) == 0 {
			delete(s.awaited, topic)
		}
	}
}

// set changes the state of a table; whoever watches is told when it is committed.
func (s *Sink) set(topic string, state log.TableState) {
	s.next.Tables[topic] = state
	s.changed[topic] = true
}

// tellTables tells of the tables whose state was committed.
func (s *Sink) tellTables() {
	for _, topic := range slices.Sorted(maps.Keys(s.changed)) {
		var t *schema.Table
		if tab := s.topics[topic]; tab != nil {
			t = tab.Table
		}
		s.tellTable(topic, t)
	}
	clear(s.changed)
}

// tellTable tells of a table as it is committed. t is nil where only its topic is
// known.
func (s *Sink) tellTable(topic string, t *schema.Table) {
	if state, ok := s.committed.Tables[topic]; ok && s.Events.Table != nil {
		s.Events.Table(topic, t, state)
	}
}
