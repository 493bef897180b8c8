package kafka

import (
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/twmb/franz-go/pkg/kadm"
)

// What a topic has when its spec does not say.
const (
	defaultRetention = 7 * 24 * time.Hour
	defaultMinLag    = time.Hour
	defaultMaxRecord = 16 << 20
	// defaultMaxLag is how long a row that was deleted or changed may lie in a
	// compacted topic until the cleaner passes it, however little is written
	// beside it (X20). Kafka's own default is for ever.
	defaultMaxLag = 7 * 24 * time.Hour
	// forever is for delete.retention.ms, which knows no -1; Kafka adds it to
	// the present time, so it must not be the largest number.
	forever = 100 * 365 * 24 * time.Hour
)

// want is a spec with its defaults, and what it means in settings.
type want struct {
	log.TopicSpec
	settings map[string]string
	explicit bool // the record size was asked for
}

// needs reports whether correctness needs a setting: what makes the topic
// compacted, keeps young records and tombstones, and stamps records by the
// brokers' clocks. A record size that nobody asked for is only a wish.
func (w *want) needs(setting string) bool {
	_, ok := w.kafka()[setting]
	return ok && (setting != maxMessage || w.explicit)
}

const (
	maxMessage = "max.message.bytes"
	maxLag     = "max.compaction.lag.ms"
)

var topicName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,249}$`)

func (l *Log) want(s log.TopicSpec) (want, error) {
	if !topicName.MatchString(s.Name) || s.Name == "." || s.Name == ".." {
		return want{}, &pipeline.Refusal{Code: log.RefuseSpec, Where: s.Name, What: "Kafka takes no such topic name", Mend: "choose up to 249 of A-Z a-z 0-9 . _ -"}
	}
	if s.Partitions < 0 || s.MinLag < 0 || s.MaxBytes < 0 {
		return want{}, &pipeline.Refusal{Code: log.RefuseSpec, Where: s.Name, What: "a negative number of partitions, lag or record size", Mend: "correct the topic's settings"}
	}
	w := want{TopicSpec: s, explicit: s.MaxBytes > 0}
	setDefault(&w.Partitions, 1)
	setDefault(&w.Retention, defaultRetention)
	setDefault(&w.MinLag, defaultMinLag)
	setDefault(&w.MaxBytes, defaultMaxRecord)
	w.settings = w.kafka()
	if w.Compact {
		w.settings[maxLag] = millis(max(defaultMaxLag, w.MinLag))
	}
	maps.Copy(w.settings, l.cfg.Topics.Settings)
	for k, v := range s.Settings {
		if !slices.Contains(fixedSettings[:], k) {
			w.settings[k] = v
		}
	}
	return w, nil
}

// kafka gives the settings that correctness needs.
func (w *want) kafka() map[string]string {
	s := map[string]string{
		"message.timestamp.type": "LogAppendTime", // K18: a row's own time must not age it
		maxMessage:               strconv.Itoa(w.MaxBytes),
	}
	if w.Compact {
		s["cleanup.policy"] = "compact"
		s["min.compaction.lag.ms"] = millis(w.MinLag)
		s["delete.retention.ms"] = millis(min(positive(w.Retention), forever))
		return s
	}
	s["cleanup.policy"] = "delete"
	s["retention.ms"] = millis(w.Retention)
	return s
}

// positive turns "for ever" into a long time.
func positive(d time.Duration) time.Duration {
	if d < 0 {
		return forever
	}
	return d
}

func millis(d time.Duration) string {
	if d < 0 {
		return "-1"
	}
	return strconv.FormatInt(d.Milliseconds(), 10)
}

func newPresent(name string, d kadm.TopicDetail, s settings) present {
	p := present{settings: s}
	p.Markers = true
	p.Name, p.Partitions, p.ID = name, int32(len(d.Partitions)), formatID(d.ID)
	p.Compact = strings.Contains(s.all["cleanup.policy"], "compact") // and may be deleted by age too, where others manage it
	p.MinLag = duration(s.all["min.compaction.lag.ms"])
	p.Retention = duration(s.all["retention.ms"])
	if p.Compact {
		p.Retention = duration(s.all["delete.retention.ms"])
	}
	p.MaxBytes, _ = strconv.Atoi(s.all["max.message.bytes"])
	p.Settings = s.further()
	p.Ends = make([]log.Ends, p.Partitions)
	p.copies = math.MaxInt
	for _, part := range d.Partitions {
		p.copies = min(p.copies, len(part.Replicas))
	}
	return p
}

// further are the topic's own settings that a spec has no field for.
func (s settings) further() map[string]string {
	m := maps.Clone(s.own)
	for _, k := range slices.Concat(atLeast[:], fixedSettings[:]) {
		delete(m, k)
	}
	return m
}

func policy(list string) string {
	parts := strings.Split(list, ",")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	slices.Sort(parts)
	return strings.Join(parts, ",")
}

func duration(ms string) time.Duration {
	n, err := strconv.ParseInt(ms, 10, 64)
	switch {
	case err != nil:
		return 0
	case n < 0 || n >= forever.Milliseconds():
		return -1
	}
	return time.Duration(n) * time.Millisecond
}

// compare refuses a topic that is not what it has to be.
func (l *Log) compare(w want, p present) error {
	switch {
	case w.ID != "" && w.ID != p.ID:
		return replaced(w.Name, p.ID, w.ID)
	case w.Partitions != p.Partitions: // K14
		return &pipeline.Refusal{
			Code: log.RefusePartitions, Where: w.Name,
			What: fmt.Sprintf("the topic's number of partitions is %d, wanted is %d: its keys would move", p.Partitions, w.Partitions),
			Mend: fmt.Sprintf("evert reset SOURCE --yes   # begins its topics anew; or set topic: {partitions: %d} for the table", p.Partitions),
		}
	case l.cfg.Topics.Manage == Never:
		return nil
	}
	return l.compareSettings(w, p)
}

func replaced(topic, is, was string) error { // K13
	return &pipeline.Refusal{
		Code: log.RefuseReplaced, Where: topic, What: fmt.Sprintf("the topic has the id %s, its id was %s: it was deleted and made anew", is, was),
		Mend: "evert reset SOURCE --resnapshot --yes",
	}
}

// atLeast are the settings of which more is as good.
var atLeast = [...]string{"min.compaction.lag.ms", "delete.retention.ms", "retention.ms", maxMessage}

func atLeastAsGood(setting string) bool { return slices.Contains(atLeast[:], setting) }

func (l *Log) compareSettings(w want, p present) error {
	if is, want := policy(p.settings.all["cleanup.policy"]), w.settings["cleanup.policy"]; is != want {
		return l.drift(log.RefusePolicy, w.Name, "cleanup.policy", is, want)
	}
	const stamp = "message.timestamp.type"
	if is := p.settings.all[stamp]; is != w.settings[stamp] {
		return l.drift(log.RefuseSettings, w.Name, stamp, is, w.settings[stamp])
	}
	for _, k := range atLeast {
		want, ok := w.settings[k]
		if !ok || !w.needs(k) {
			continue
		}
		if number(p.settings.all[k]) < number(want) {
			return l.drift(log.RefuseSettings, w.Name, k, p.settings.all[k], want)
		}
	}
	return nil
}

// compareFree tells of the user's own settings that an existing topic has
// otherwise: they are applied when a topic is made, and never later.
func (l *Log) compareFree(wanted []want, there map[string]present) {
	if l.cfg.Topics.Manage == Never {
		return
	}
	for _, w := range wanted {
		if p, ok := there[w.Name]; ok {
			l.compareOwn(w, p)
		}
	}
}

func (l *Log) compareOwn(w want, p present) {
	for _, k := range sortedKeys(w.settings) {
		if _, own := l.cfg.Topics.Settings[k]; k == maxLag && !own && w.Settings[k] == "" {
			continue // topics of before have Kafka's default
		}
		if is, known := p.settings.all[k]; !w.needs(k) && k != maxMessage && known && is != w.settings[k] {
			l.find(l.drift(codeDiffers, w.Name, k, is, w.settings[k]))
		}
	}
}

// number reads a setting in which -1 is without bound, and nothing is Kafka's
// least.
func number(s string) uint64 {
	n, _ := strconv.ParseInt(s, 10, 64)
	return uint64(n) // -1 is the largest
}

func (l *Log) drift(code pipeline.Code, topic, setting, is, want string) *pipeline.Refusal {
	return &pipeline.Refusal{
		Code: code, Where: topic, What: fmt.Sprintf("the topic has %s=%s, wanted is %s", setting, is, want),
		Mend: fmt.Sprintf("kafka-configs.sh --bootstrap-server %s --entity-type topics --entity-name %s --alter --add-config %s=%s", l.cfg.Brokers[0], topic, setting, want),
	}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
