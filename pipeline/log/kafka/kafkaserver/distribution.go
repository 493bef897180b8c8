//go:build unix

package kafkaserver

import (
	"context"
	"errors"
	"os/exec"
	"slices"

	"github.com/evertdb/evert/pipeline/loopback/jvm"
)

// Version is the Apache Kafka that Fetch brings.
const Version = "4.4.0"

// program names the broker with all it needs, its log's back end, and the tools by
// themselves: what only the rest of the tools needs is left out.
var program = jvm.Program{Name: "Apache Kafka", Folder: "kafka", Version: Version, LeastJava: 17, Dependencies: `
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>` + Version + `</version></dependency>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>` + Version + `</version>
      <exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions></dependency>
    <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>2.25.5</version></dependency>
  `}

// A Distribution is a Kafka that can be started.
type Distribution struct{ jvm.Distribution }

// Fetch gives what lies in the user's cache, after bringing what is missing by Maven.
// Processes that fetch at the same time wait for the first.
func Fetch(ctx context.Context) (Distribution, error) {
	d, err := program.Fetch(ctx, func(d jvm.Distribution, flags []string) error {
		c, err := Start(ctx, Distribution{d}, Options{Java: flags})
		if err != nil {
			return err
		}
		return errors.Join(c.Node(1).Stop(), c.Close())
	})
	return Distribution{d}, err
}

// Missing says which programs Fetch lacks, by the Debian packages that
// bring them; nil if none.
func Missing() []string { return program.Missing() }

// InstallHint is the command that brings what is missing.
func InstallHint() string { return program.InstallHint() }

// Command runs a class of the distribution, such as
// org.apache.kafka.tools.TopicCommand, which kafka-topics.sh wraps.
func (d Distribution) Command(ctx context.Context, class string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, d.Java, slices.Concat(d.Flags("256m", false), []string{class}, args)...)
	cmd.Env = jvm.Environ("KAFKA_")
	return cmd
}
