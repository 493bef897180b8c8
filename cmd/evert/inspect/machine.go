package inspect

import (
	"context"
	"slices"
	"strings"

	"github.com/evertdb/evert/cmd/evert/api"
	"github.com/evertdb/evert/cmd/evert/machine"
	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline"
)

// codeOtherState warns of a data directory that holds another deployment.
const codeOtherState pipeline.Code = "DATA_DIR_OTHER"

// roomForLog and roomBeside are what should be free on the disk of data_dir, with
// the log in it and without.
const (
	roomForLog = 1 << 30
	roomBeside = 256 << 20
)

// lookAtMachine looks at the disk, at memory, and at who may read what.
func (i *inspection) lookAtMachine() {
	c := i.file
	m := &machine.Machine{DataDir: c.DataDir, Room: roomForLog, Memory: int64(c.Limits.Memory)}
	if c.Kafka != nil {
		m.Room = roomBeside
		m.KeyFiles = append(m.KeyFiles, keyOf(c.Kafka.TLS))
	}
	if c.Registry != nil {
		m.KeyFiles = append(m.KeyFiles, keyOf(c.Registry.TLS))
	}
	if c.Serve.TLS != nil {
		m.KeyFiles = append(m.KeyFiles, c.Serve.TLS.Key)
	}
	i.add("", m.Look()...)
}

func keyOf(t *configs.TLS) string {
	if t == nil {
		return ""
	}
	return t.Key
}

// lookAtListeners tries the addresses that a daemon would listen on, unless it
// does already, and says who may come in.
func (i *inspection) lookAtListeners(ctx context.Context) {
	s := &i.file.Serve
	for _, l := range []api.Address{{Name: "http", Address: s.HTTP}, {Name: "health", Address: s.Health}, {Name: "registry", Address: s.Registry}, {Name: "kafka", Address: s.Kafka}} {
		if l.Address == "" || l.Address == configs.Off {
			continue
		}
		if i.daemon == nil {
			tried, err := api.Listen(ctx, l.Name, l.Address, 0)
			if err != nil {
				i.found = append(i.found, failures("serve."+l.Name, err)...)
				continue
			}
			_ = tried.Close()
		}
		i.add("", pipeline.Good("serve."+l.Name+" "+l.Address, "it can be listened on, "+whoMay(s)))
	}
}

// whoMay says who may come in; an address that others reach without a token or a
// proxy is refused when the file is read (OPEN_LISTENER).
func whoMay(s *configs.Serve) string {
	var how []string
	if !s.Token.IsZero() {
		how = append(how, "with the token")
	}
	if s.TLS != nil {
		how = append(how, "over TLS")
	}
	if s.BehindProxy {
		how = append(how, "behind the proxy that does both")
	}
	if how == nil {
		return "by whoever reaches this address"
	}
	return strings.Join(how, " and ")
}

// lookAtState compares the deployment's name with those that topics lie under: a
// file whose name was changed finds nothing, and would begin anew.
func (i *inspection) lookAtState(ctx context.Context) {
	if i.topics == nil || i.file.Kafka != nil { // a cluster is for many
		return
	}
	infos, err := i.topics.Admin().Topics(ctx)
	if err != nil {
		i.found = append(i.found, failures("the log", err)...)
		return
	}
	var names []string
	for _, info := range infos {
		if rest, ok := strings.CutPrefix(info.Name, "__evert."); ok {
			if name, _, inner := strings.Cut(rest, "."); inner && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	where := "data directory " + i.file.DataDir
	switch {
	case len(names) > 0 && !slices.Contains(names, i.file.Name):
		i.add("", pipeline.Found(pipeline.Warns, pipeline.Refusal{Code: codeOtherState, Where: where,
			What: "it holds the topics of deployment " + strings.Join(names, ", ") + ", and none of " + i.file.Name + ": with this name everything is copied anew",
			Mend: "name: " + names[0] + "   # if the name was changed; or another data_dir"}))
	case len(names) > 0:
		i.add("", pipeline.Good(where, "it holds the topics of this deployment"))
	}
}
