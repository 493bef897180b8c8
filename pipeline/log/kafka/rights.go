package kafka

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/twmb/franz-go/pkg/kerr"
)

// A Right is one thing that a cluster lets a user do: one entry of its access
// control list.
type Right struct {
	Resource  Resource
	Name      string // of the resource; empty for the cluster
	Prefixed  bool   // Name is the beginning of names
	Operation string // as kafka-acls.sh calls it
	For       string // what does not work without it
}

// A Resource is what a right is about, as kafka-acls.sh calls it.
type Resource string

// The resources.
const (
	Topic           Resource = "topic"
	Group           Resource = "group"
	TransactionalID Resource = "transactional-id"
	Cluster         Resource = "cluster"
)

// everyGroup is the name that stands for all groups in an access control list.
const everyGroup = "*"

// Rights lists what the deployment's user has to be allowed, and no more: less
// any one of them, something says KAFKA_DENIED. Describe goes with Read and
// Write, and idempotent writing with the transactional id, so neither stands here.
func (c *Config) Rights() []Right {
	var all []Right
	add := func(resource Resource, name, operation, what string) {
		prefixed := resource != Cluster && name != log.OwnersTopic && name != everyGroup
		all = append(all, Right{Resource: resource, Name: name, Prefixed: prefixed, Operation: operation, For: what})
	}
	topics := append([]string{log.OwnersTopic, "__evert." + c.Deployment + "."}, c.Prefixes...)
	each := func(operation, what string, names []string) {
		for _, name := range names {
			add(Topic, name, operation, what)
		}
	}
	each("Read", "reading what was committed: at a start, for tail, and to fill values", topics)
	each("Write", "capturing; and claiming topics, in "+log.OwnersTopic, topics)
	each("DescribeConfigs", "comparing the settings of topics with what correctness needs", topics)
	if c.Topics.Manage == Create {
		each("Create", "making topics; not needed with topics.manage: verify", topics)
	}
	each("Delete", "evert reset", topics[1:]) // what others write too stays
	add(Group, c.Deployment+".", "Read", "owning a source, and standing by")
	add(Group, everyGroup, "Describe", "telling how far the readers of the topics are: evert status, evert_reader_… and its alert; capture does without")
	add(TransactionalID, c.Deployment+".", "Write", "committing")
	add(Cluster, "", "DescribeConfigs", "evert check --connect, which looks at the brokers' settings")
	return all
}

// Command gives the right to a user.
func (r Right) Command(server, user string) string {
	cmd := fmt.Sprintf("kafka-acls.sh --bootstrap-server %s --add --allow-principal %s --operation %s", server, shellQuote("User:"+user), r.Operation)
	if r.Resource == Cluster {
		return cmd + " --cluster"
	}
	cmd += fmt.Sprintf(" --%s %s", r.Resource, shellQuote(r.Name))
	if r.Prefixed {
		cmd += " --resource-pattern-type prefixed"
	}
	return cmd
}

// shellQuote makes one word of text, whatever is in it.
func shellQuote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// entry gives the entry of Rights that allows r, or r itself.
func (c *Config) entry(r Right) Right {
	if r.Operation == "Describe" {
		r.Operation = "Read"
		if r.Resource == TransactionalID {
			r.Operation = "Write"
		}
	}
	all := c.Rights()
	i := slices.IndexFunc(all, func(e Right) bool {
		return e.Resource == r.Resource && e.Operation == r.Operation && (e.Name == r.Name || e.Prefixed && strings.HasPrefix(r.Name, e.Name))
	})
	if i < 0 {
		return r
	}
	return all[i]
}

// readers is the right to see the groups of others.
func (c *Config) readers() Right {
	all := c.Rights()
	return all[slices.IndexFunc(all, func(r Right) bool { return r.Name == everyGroup })]
}

// unseen is the refusal that says that groups of others are hidden from us: the
// cluster leaves them out of its lists without a word.
func (c *Config) unseen(err error) *pipeline.Refusal {
	return &pipeline.Refusal{Code: codeDenied, Where: "groups of readers", Err: err, What: "the cluster does not let this user see them: how far readers are is not known, and nothing tells when one falls behind",
		Mend: c.readers().Command(c.Brokers[0], c.User())}
}

func isDenied(err error) bool { return deniedResource(err) != "" }

// deniedResource is what the cluster's answer is about; empty if it is no denial.
func deniedResource(err error) Resource {
	for code, resource := range map[error]Resource{
		kerr.TopicAuthorizationFailed: Topic, kerr.GroupAuthorizationFailed: Group,
		kerr.TransactionalIDAuthorizationFailed: TransactionalID, kerr.ClusterAuthorizationFailed: Cluster,
	} {
		if errors.Is(err, code) {
			return resource
		}
	}
	return ""
}

// denied makes a refusal of an answer for want of a right to one of the named
// resources, and leaves other errors as they are.
func (c *Config) denied(operation string, err error, names ...string) error {
	if r := c.shut(err); r != nil {
		return r
	}
	resource := deniedResource(err)
	if resource == "" {
		return err
	}
	if resource == Cluster || len(names) == 0 {
		names = []string{""}
	}
	var mends []string
	for _, name := range names {
		cmd := c.entry(Right{Resource: resource, Name: name, Operation: operation}).Command(c.Brokers[0], c.User())
		if !slices.Contains(mends, cmd) {
			mends = append(mends, cmd)
		}
	}
	return &pipeline.Refusal{Code: codeDenied, Where: strings.Join(names, ", "), Err: err,
		What: "the cluster does not let this user do that", Mend: strings.Join(mends, "\n") + "\nevert check --acls   # prints all that it needs"}
}

// deniedOf asks for each of several names alone when the answer to all was a
// denial: the client does not say of which.
func (l *Log) deniedOf(names []string, err error, ask func(name string) error) (denied []string) {
	if !isDenied(err) || len(names) == 1 {
		return names
	}
	for _, name := range names {
		if isDenied(ask(name)) {
			denied = append(denied, name)
		}
	}
	if denied == nil {
		return names // what was denied is allowed now
	}
	return denied
}
