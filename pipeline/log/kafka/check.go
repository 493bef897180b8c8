package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A check looks at a cluster as a deployment that may be on it finds it.
type check struct {
	*Log
	found []pipeline.Finding
}

// Subjects are what a check asks about.
type Subjects struct {
	Topics  []string // of the deployment, as far as they exist
	Groups  []string // that it joins, without the deployment's prefix
	Writers []string // that it opens, without the deployment's prefix
	Now     time.Time
}

// Check says what of the cluster's settings and of the user's rights would keep
// the deployment from working, or will hurt later, and what is fine. It changes
// nothing. What topics have to be, Try compares.
func (l *Log) Check(ctx context.Context, s Subjects) []pipeline.Finding {
	c := &check{Log: l}
	c.version()
	c.brokerSettings(ctx)
	c.rights(ctx, s)
	there, err := (&admin{l}).describeSome(ctx, s.Topics)
	if err != nil {
		c.fail(fmt.Errorf("describe the deployment's topics: %w", err))
		return c.found
	}
	c.durability(there)
	c.clock(ctx, there, s.Now)
	return c.found
}

// describeSome describes those topics that exist; none for no names.
func (a *admin) describeSome(ctx context.Context, names []string) (map[string]present, error) {
	if len(names) == 0 {
		return nil, nil
	}
	return a.describe(ctx, names...)
}

func (c *check) where() string { return "cluster " + cmp.Or(c.info.ClusterID, c.cfg.seeds()) }

func (c *check) good(format string, args ...any) {
	c.found = append(c.found, pipeline.Good(c.where(), fmt.Sprintf(format, args...)))
}

func (c *check) say(s pipeline.Severity, code pipeline.Code, where, what, mend string) {
	c.found = append(c.found, pipeline.Found(s, pipeline.Refusal{Code: code, Where: where, What: what, Mend: mend}))
}

// fail makes a finding of an error, which may be a refusal.
func (c *check) fail(err error) {
	if r, ok := errors.AsType[*pipeline.Refusal](err); ok {
		c.found = append(c.found, pipeline.Finding{Refusal: r})
		return
	}
	c.found = append(c.found, pipeline.Found(pipeline.Fails, pipeline.Refusal{Code: codeUnreachable, Where: c.where(), What: "it did not answer a question of the check", Err: err,
		Mend: "see that its brokers answer, then run the check again"}))
}

func (c *check) version() {
	c.good("%d brokers of version %s, transaction.version %d", c.info.Brokers, c.info.Version, c.info.TransactionVersion)
	if !c.info.ExactlyOnce() { // K06
		c.say(pipeline.Warns, codeTransactionVersion, c.where(),
			"its transaction.version is below 2: a late end of a transaction is not fenced, so that a foreign reader could in rare faults see a record twice; Evert's own readers drop it",
			"kafka-features.sh --bootstrap-server "+c.cfg.Brokers[0]+" upgrade --feature transaction.version=2")
	}
}

// brokerSettings asks one broker, for what holds on all of them as a rule.
func (c *check) brokerSettings(ctx context.Context) {
	meta, err := c.admin.BrokerMetadata(ctx)
	if err != nil || len(meta.Brokers) == 0 {
		c.fail(fmt.Errorf("list the brokers: %w", err))
		return
	}
	configs, err := c.admin.DescribeBrokerConfigs(ctx, meta.Brokers[0].NodeID)
	if len(configs) == 1 {
		err = cmp.Or(err, configs[0].Err)
	}
	if r, ok := errors.AsType[*pipeline.Refusal](c.cfg.denied("DescribeConfigs", err)); ok {
		c.found = append(c.found, pipeline.Finding{Refusal: r, Severity: pipeline.Warns}) // for the check's own sake
		return
	}
	if err != nil || len(configs) == 0 {
		c.fail(fmt.Errorf("ask a broker for its settings: %w", err))
		return
	}
	b := map[string]int64{}
	for _, kv := range configs[0].Configs {
		if n, err := strconv.ParseInt(kv.MaybeValue(), 10, 64); err == nil {
			b[kv.Key] = n
		}
	}
	c.timeouts(b)
	c.internalTopics(b)
}

// timeouts compares the file's with what brokers allow (K08). A broker that does
// not say has the default, and a wrong one is told when a writer or member starts.
func (c *check) timeouts(b map[string]int64) {
	most, known := b["transaction.max.timeout.ms"]
	if known && c.cfg.TransactionTimeout.Milliseconds() > most {
		c.say(pipeline.Fails, codeTimeout, "kafka.transaction_timeout", fmt.Sprintf("it is %s, and the brokers allow no more than %d ms", c.cfg.TransactionTimeout, most),
			"lower kafka.transaction_timeout; or raise transaction.max.timeout.ms in the configuration of every broker, and restart them")
	} else if known {
		c.good("transactions may take %s (transaction.max.timeout.ms %d)", c.cfg.TransactionTimeout, most)
	}
	least, known1 := b["group.min.session.timeout.ms"]
	longest, known2 := b["group.max.session.timeout.ms"]
	if n := c.cfg.SessionTimeout.Milliseconds(); known1 && n < least || known2 && n > longest {
		c.say(pipeline.Fails, codeConfig, "kafka.session_timeout", fmt.Sprintf("it is %s, and the brokers allow %d ms to %d ms", c.cfg.SessionTimeout, least, longest),
			fmt.Sprintf("session_timeout: %s", time.Duration(min(max(n, least), cmp.Or(longest, n)))*time.Millisecond))
	}
}

// internalTopics are the cluster's own, of groups and transactions (K02, K11).
func (c *check) internalTopics(b map[string]int64) {
	for _, topic := range []string{"transaction.state.log", "offsets.topic"} {
		if n, known := b[topic+".replication.factor"]; known && n < 3 && c.info.Brokers >= 3 {
			c.say(pipeline.Warns, codeReplication, c.where(), fmt.Sprintf("%s.replication.factor is %d: with one broker the state of transactions and groups may go", topic, n),
				"kafka-reassign-partitions.sh for __transaction_state and __consumer_offsets, to three brokers")
		}
	}
}

// rights asks for each entry of Rights whether the user has it, as far as that
// can be asked without changing anything: for a right to commit, the cluster only
// says whether it may be described, which goes with it.
func (c *check) rights(ctx context.Context, s Subjects) {
	before := len(c.found)
	c.topicRights(ctx, s.Topics)
	for _, group := range s.Groups {
		if err := c.mayJoin(ctx, c.groupName(group)); err != nil {
			c.fail(err)
		}
	}
	for _, id := range s.Writers {
		id = c.cfg.Deployment + "." + id
		states, err := c.admin.DescribeTransactions(ctx, id)
		if state, on := states[id]; on {
			err = cmp.Or(err, state.Err)
		}
		if isDenied(err) {
			c.fail(c.cfg.denied("Write", err, id))
		}
	}
	if r, ok := errors.AsType[*pipeline.Refusal](c.hidden(ctx)); ok {
		c.found = append(c.found, pipeline.Finding{Refusal: r, Severity: pipeline.Warns}) // capture does without
	}
	if len(c.found) == before {
		c.good("user %s has the rights that `evert check --acls` prints, as far as can be asked without writing", c.cfg.User())
	}
}

// topicRights asks what the user may do with each topic that exists.
func (c *check) topicRights(ctx context.Context, names []string) {
	if len(names) == 0 {
		return
	}
	req := kmsg.NewPtrMetadataRequest()
	req.IncludeTopicAuthorizedOperations = true
	for _, name := range names {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = kmsg.StringPtr(name)
		req.Topics = append(req.Topics, t)
	}
	resp, err := req.RequestWith(ctx, c.cl)
	if err != nil {
		c.fail(fmt.Errorf("ask for the rights to topics: %w", err))
		return
	}
	missing := map[Right]bool{}
	for i := range resp.Topics {
		t := &resp.Topics[i]
		if err := kerr.ErrorForCode(t.ErrorCode); t.Topic == nil || err != nil && !isDenied(err) {
			continue // it does not exist yet, say
		}
		c.lacking(*t.Topic, t.AuthorizedOperations, missing)
	}
	for _, r := range c.cfg.Rights() {
		if missing[r] {
			c.say(pipeline.Fails, codeDenied, string(r.Resource)+" "+r.Name, fmt.Sprintf("the user may not %s, which is needed for: %s", r.Operation, r.For),
				r.Command(c.cfg.Brokers[0], c.cfg.User())+"\nevert check --acls   # prints all that it needs")
		}
	}
}

// unasked is the set of operations that a broker without an authorizer gives.
const unasked = -1 << 31

// lacking notes the rights that are not among the operations of a topic.
func (c *check) lacking(topic string, operations int32, missing map[Right]bool) {
	if operations == unasked {
		return
	}
	may := kadm.DecodeACLOperations(operations)
	for _, r := range c.cfg.Rights() {
		op, err := kmsg.ParseACLOperation(r.Operation)
		if err != nil || r.Resource != Topic || r.Operation == "Create" || c.cfg.entry(Right{Resource: Topic, Name: topic, Operation: r.Operation}) != r {
			continue
		}
		if !slices.Contains(may, op) && !slices.Contains(may, kadm.OpAll) {
			missing[r] = true
		}
	}
}

// durability looks at what a broken disk or broker would cost (K01, K02).
func (c *check) durability(there map[string]present) {
	var thin, weak, unclean []string
	for _, name := range sortedKeys(there) {
		p := there[name]
		least := number(p.settings.all["min.insync.replicas"])
		switch {
		case uint64(p.copies) < least:
			c.say(pipeline.Fails, codeReplication, name, fmt.Sprintf("it has %d copies of each partition, and min.insync.replicas=%d lets nobody write", p.copies, least),
				c.alter(name, "min.insync.replicas", strconv.Itoa(p.copies)))
		case p.copies < 3:
			thin = append(thin, name)
		case least < 2:
			weak = append(weak, name)
		}
		if p.settings.all["unclean.leader.election.enable"] == "true" { // K19
			unclean = append(unclean, name)
		}
	}
	if len(there) > 0 && thin == nil && weak == nil && unclean == nil {
		c.good("each of the %d topics has three copies or more, and two of them acknowledge", len(there))
	}
	c.each(thin, codeReplication, "fewer than three copies of a partition: what one broker acknowledged may go with it",
		"kafka-reassign-partitions.sh to three brokers, and kafka: {topics: {replication_factor: 3}} for new topics")
	c.each(weak, codeReplication, "min.insync.replicas is below 2: what a single broker acknowledged counts as written", c.alterAll(weak, "min.insync.replicas", "2"))
	c.each(unclean, codeUnclean, "unclean.leader.election.enable is on: a broker that missed records may lead, and they are lost without a word", c.alterAll(unclean, "unclean.leader.election.enable", "false"))
}

// each warns once of several topics.
func (c *check) each(topics []string, code pipeline.Code, what, mend string) {
	if len(topics) > 0 {
		c.say(pipeline.Warns, code, listed(topics), what, mend)
	}
}

func (c *check) alter(topic, setting, value string) string {
	return fmt.Sprintf("kafka-configs.sh --bootstrap-server %s --entity-type topics --entity-name %s --alter --add-config %s=%s", c.cfg.Brokers[0], topic, setting, value)
}

func (c *check) alterAll(topics []string, setting, value string) (lines string) {
	for i, topic := range topics {
		if i > 0 {
			lines += "\n"
		}
		lines += c.alter(topic, setting, value)
	}
	return lines
}

// listed names some of many.
func listed(topics []string) string {
	const most = 5
	text := ""
	for i, topic := range topics[:min(len(topics), most)] {
		if i > 0 {
			text += ", "
		}
		text += topic
	}
	if len(topics) > most {
		text += fmt.Sprintf(" and %d more", len(topics)-most)
	}
	return text
}

// skewLimit is how far the brokers' clocks may be ahead of ours.
const skewLimit = 2 * time.Second

// clock compares ours with the stamp of the newest record, which a broker made:
// one from the future shows that its clock is ahead. Whether a cut is young is
// told by both.
func (c *check) clock(ctx context.Context, there map[string]present, now time.Time) {
	if len(there) == 0 {
		return
	}
	newest, err := c.admin.ListMaxTimestampOffsets(ctx, sortedKeys(there)...)
	if err != nil {
		return // what brokers before Kafka 3.0 do not know
	}
	var latest time.Time
	newest.Each(func(o kadm.ListedOffset) {
		if at := time.UnixMilli(o.Timestamp); o.Err == nil && o.Timestamp > 0 && at.After(latest) {
			latest = at
		}
	})
	if ahead := latest.Sub(now); ahead > skewLimit {
		c.say(pipeline.Warns, codeClock, c.where(), fmt.Sprintf("its newest record of ours is from %s ahead of this machine's clock", ahead.Round(time.Second)), "keep the clocks of brokers and of this machine by NTP")
		return
	}
	c.good("no record of ours is from the future: clocks go together as far as can be seen")
}
