//go:build unix

package kafkaserver

import (
	"context"
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"

	"github.com/evertdb/evert/pipeline/loopback/child"
	"github.com/evertdb/evert/pipeline/loopback/jvm"
)

// A Node is one broker, controller, or both.
type Node struct {
	id                 int
	cluster            *Cluster
	broker, controller bool
	ports              map[string]int    // by listener
	further            map[string]string // settings by Configure
	process            *child.Process
}

// ID of the node, as Kafka's tools show it.
func (n *Node) ID() int { return n.id }

// Address of one of its listeners.
func (n *Node) Address(listener string) string { return n.hostPort(listener) }

// LogPath is the file that the node writes to.
func (n *Node) LogPath() string { return filepath.Join(n.dir(), "server.log") }

// Data is where its topics lie.
func (n *Node) Data() string { return filepath.Join(n.dir(), "data") }

// PID of the node's process; 0 when it does not run.
func (n *Node) PID() int { return n.process.PID() }

// Running reports whether the process is there, be it paused.
func (n *Node) Running() bool { return n.process.Running() }

// Configure changes settings from the next start on.
func (n *Node) Configure(settings map[string]string) {
	if n.further == nil {
		n.further = map[string]string{}
	}
	maps.Copy(n.further, settings)
}

// Start starts a node that does not run, and returns when it takes requests. A
// broker that was killed is let in again when its session of before is over.
func (n *Node) Start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := n.format(ctx); err != nil {
		return err
	}
	return n.launch(ctx)
}

// Stop asks the node to end, which hands its partitions over, and returns when
// it is gone. After half a minute it is killed, which is an error.
func (n *Node) Stop() error {
	if err := n.process.Stop(); err != nil {
		return fmt.Errorf("node %d: %w", n.id, err)
	}
	return nil
}

// Kill ends the node as kill -9 does and returns when it is gone.
func (n *Node) Kill() { n.process.Kill() }

// Pause freezes the node: its connections stay open and nobody answers.
func (n *Node) Pause() { _ = n.process.Signal(syscall.SIGSTOP) }

// Resume lets a paused node go on.
func (n *Node) Resume() { _ = n.process.Signal(syscall.SIGCONT) }

// Restart stops the node and starts it again.
func (n *Node) Restart(ctx context.Context) error {
	if err := n.Stop(); err != nil {
		return err
	}
	return n.Start(ctx)
}

func (n *Node) dir() string { return filepath.Join(n.cluster.dir, "node-"+strconv.Itoa(n.id)) }

func (n *Node) configPath() string { return filepath.Join(n.dir(), "server.properties") }

// runFormat runs the program that formats a storage.
func (n *Node) runFormat(ctx context.Context) error {
	if _, err := child.Run(ctx, n.java(nil, "kafka.tools.StorageTool", n.formatArguments()...), nil); err != nil {
		return fmt.Errorf("format the storage of node %d: %w", n.id, err)
	}
	return nil
}

// clusterID is the same for all: what they hold is thrown away.
const clusterID = "ZXZlcnQta2Fma2EtdGVzdA"

func (n *Node) formatArguments() []string {
	o := &n.cluster.options
	args := []string{"format", "--cluster-id", clusterID, "--config", n.configPath()}
	for _, name := range slices.Sorted(maps.Keys(o.Features)) {
		args = append(args, "--feature", name+"="+strconv.Itoa(o.Features[name]))
	}
	for _, u := range o.Users {
		args = append(args, "--add-scram", fmt.Sprintf("%s=[name=%s,password=%s]", u.Mechanism, u.Name, u.Password))
	}
	return args
}

// java is a command of this node's, with its way of logging.
func (n *Node) java(flags []string, class string, args ...string) *exec.Cmd {
	all := slices.Concat(n.cluster.dist.Flags(n.cluster.options.heap(), false), flags,
		[]string{"-Dlog4j2.configurationFile=" + n.cluster.logConfig(), class}, args)
	cmd := exec.Command(n.cluster.dist.Java, all...)
	cmd.Dir, cmd.Env = n.dir(), jvm.Environ("KAFKA_")
	return cmd
}

// launch starts the program and waits until it says that it has started, which a
// broker does when the controllers have let it in.
func (n *Node) launch(ctx context.Context) (err error) {
	cmd := n.java(n.cluster.options.Java, "kafka.Kafka", n.configPath())
	if n.process, err = child.Start(cmd, nil, syscall.SIGKILL, n.LogPath()); err != nil {
		return err
	}
	started := func() bool { return n.process.Said(hasStarted) }
	if err := n.process.Await(ctx, started, portTaken); err != nil {
		n.Kill()
		return fmt.Errorf("node %d: %w", n.id, err)
	}
	return nil
}
