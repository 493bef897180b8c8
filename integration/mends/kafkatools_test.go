//go:build unix

package mends

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/plain"
)

// kafkaTools are the commands of Apache Kafka that mends name, as far as mends
// use them: what those do not know, these refuse. They act as the cluster's
// administrator, as a file given by --command-config would let them.
var kafkaTools = map[string]func(cl *kadm.Client, f *toolFlags) error{
	"kafka-topics.sh": createTopic, "kafka-configs.sh": alterTopic, "kafka-acls.sh": addACL,
}

// calledAs gives the tool that this binary is under a name.
func calledAs(name string) (tool func(args []string) int, ok bool) {
	if filepath.Base(name) == "curl" {
		return curl, true
	}
	do, ok := kafkaTools[filepath.Base(name)]
	return func(args []string) int {
		if err := runTool(do, args); err != nil {
			fmt.Fprintln(os.Stderr, filepath.Base(name)+":", err)
			return 1
		}
		return 0
	}, ok
}

// toolFlags are the flags of all three.
type toolFlags struct {
	server, entityType, entityName, principal, group, transaction string
	pattern                                                       string
	create, alter, add, cluster                                   bool
	partitions, replication                                       int
	topic, config, addConfig, operation                           list
}

type list []string

func (l *list) String() string     { return strings.Join(*l, ",") }
func (l *list) Set(s string) error { *l = append(*l, s); return nil }

func parseTool(args []string) (*toolFlags, error) {
	f, set := &toolFlags{}, flag.NewFlagSet("", flag.ContinueOnError)
	for name, into := range map[string]*string{"bootstrap-server": &f.server, "entity-type": &f.entityType,
		"entity-name": &f.entityName, "allow-principal": &f.principal, "group": &f.group, "transactional-id": &f.transaction, "resource-pattern-type": &f.pattern} {
		set.StringVar(into, name, "", "")
	}
	for name, into := range map[string]*bool{"create": &f.create, "alter": &f.alter, "add": &f.add, "cluster": &f.cluster} {
		set.BoolVar(into, name, false, "")
	}
	set.IntVar(&f.partitions, "partitions", 1, "")
	set.IntVar(&f.replication, "replication-factor", -1, "")
	set.Var(&f.topic, "topic", "")
	set.Var(&f.config, "config", "")
	set.Var(&f.addConfig, "add-config", "")
	set.Var(&f.operation, "operation", "")
	err := set.Parse(args)
	if err == nil && (f.server == "" || set.NArg() > 0) {
		err = fmt.Errorf("no --bootstrap-server, or arguments left over: %v", set.Args())
	}
	return f, err
}

func runTool(do func(cl *kadm.Client, f *toolFlags) error, args []string) error {
	f, err := parseTool(args)
	if err != nil {
		return err
	}
	opts := []kgo.Opt{kgo.SeedBrokers(f.server), kgo.RetryTimeout(10 * time.Second)}
	if os.Getenv(adminPassword) != "" {
		opts = append(opts, kgo.SASL(plain.Auth{User: "admin", Pass: os.Getenv(adminPassword)}.AsMechanism()))
	}
	cl, err := kgo.NewClient(opts...)
	if err != nil {
		return err
	}
	defer cl.Close()
	return do(kadm.NewClient(cl), f)
}

// adminPassword is the variable that stands for --command-config.
const adminPassword = "MENDS_ADMIN_PASSWORD"

func settings(pairs []string) (map[string]*string, error) {
	all := map[string]*string{}
	for _, pair := range pairs {
		name, value, ok := strings.Cut(pair, "=")
		if !ok {
			return nil, fmt.Errorf("%q is not name=value", pair)
		}
		all[name] = &value
	}
	return all, nil
}

func createTopic(cl *kadm.Client, f *toolFlags) error {
	config, err := settings(f.config)
	if err != nil || !f.create || len(f.topic) != 1 {
		return fmt.Errorf("only --create --topic is known here: %w", err)
	}
	_, err = cl.CreateTopic(context.Background(), int32(f.partitions), int16(f.replication), config, f.topic[0])
	return err
}

func alterTopic(cl *kadm.Client, f *toolFlags) error {
	var pairs []string
	for _, several := range f.addConfig {
		pairs = append(pairs, strings.Split(several, ",")...)
	}
	config, err := settings(pairs)
	if err != nil || !f.alter || f.entityType != "topics" || f.entityName == "" {
		return fmt.Errorf("only --alter of topics is known here: %w", err)
	}
	var alter []kadm.AlterConfig
	for name, value := range config {
		alter = append(alter, kadm.AlterConfig{Op: kadm.SetConfig, Name: name, Value: value})
	}
	answers, err := cl.AlterTopicConfigs(context.Background(), alter, f.entityName)
	for _, a := range answers {
		if err == nil {
			err = a.Err
		}
	}
	return err
}

func addACL(cl *kadm.Client, f *toolFlags) error {
	if !f.add || f.principal == "" || len(f.operation) == 0 {
		return fmt.Errorf("only --add --allow-principal --operation is known here")
	}
	pattern := kadm.ACLPatternLiteral
	if f.pattern == "prefixed" {
		pattern = kadm.ACLPatternPrefixed
	}
	b := kadm.NewACLs().Allow(f.principal).AllowHosts("*").ResourcePatternType(pattern)
	var ops []kadm.ACLOperation
	for _, name := range f.operation {
		op, err := kmsg.ParseACLOperation(name)
		if err != nil {
			return err
		}
		ops = append(ops, op)
	}
	b = b.Operations(ops...)
	if len(f.topic) > 0 {
		b = b.Topics(f.topic...)
	}
	if f.group != "" {
		b = b.Groups(f.group)
	}
	if f.transaction != "" {
		b = b.TransactionalIDs(f.transaction)
	}
	if f.cluster {
		b = b.Clusters()
	}
	answers, err := cl.CreateACLs(context.Background(), b)
	for _, a := range answers {
		if err == nil {
			err = a.Err
		}
	}
	return err
}
