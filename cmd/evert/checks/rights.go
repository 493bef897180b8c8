package checks

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/evertdb/evert/cmd/evert/exit"
	"github.com/evertdb/evert/cmd/evert/storage"
	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline/log/kafka"
)

// access is one right as it is printed.
type access struct {
	Resource  kafka.Resource `json:"resource"`
	Name      string         `json:"name,omitempty"`
	Pattern   string         `json:"pattern,omitempty"` // prefixed; absent for the cluster
	Operation string         `json:"operation"`
	For       string         `json:"for"`
	Command   string         `json:"command"`
}

// printRights prints what a deployment's user has to be allowed, derived from
// the file alone.
func (a verbs) printRights(c *configs.Config) error {
	if c.Kafka == nil {
		return exit.Usage(errors.New("--acls: the file has no section kafka; the embedded log needs no rights but those to data_dir"))
	}
	config, err := storage.KafkaConfig(c)
	if err != nil {
		return err
	}
	all := []access{}
	for _, r := range config.Rights() {
		one := access{Resource: r.Resource, Name: r.Name, Operation: r.Operation, For: r.For, Command: r.Command(config.Brokers[0], config.User())}
		if r.Prefixed {
			one.Pattern = "prefixed"
		}
		all = append(all, one)
	}
	if a.JSON() {
		return json.NewEncoder(a.Out).Encode(all)
	}
	fmt.Fprintf(a.Out, "# What deployment %s has to be allowed, and no more. Add --command-config FILE if the cluster asks who you are.\n", c.Name)
	said := ""
	for _, one := range all {
		if one.For != said {
			fmt.Fprintf(a.Out, "# %s\n", one.For)
			said = one.For
		}
		fmt.Fprintln(a.Out, one.Command)
	}
	return nil
}
