//go:build unix

package kafkaserver

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"
)

// A Node is one broker, controller, or both.
type Node struct {
	id                 int
	cluster            *Cluster
	broker, controller bool
	ports              map[string]int    // by listener
	further            map[string]string // settings by Configure
	process            *process
}

// stopGrace is how long a node may take to end by itself before it is killed.
const stopGrace = 30 * time.Second

// errPortTaken is a start that failed because somebody else listens there.
var errPortTaken = errors.New("the port is taken")

// ID of the node, as Kafka's tools show it.
func (n *Node) ID() int { return n.id }

// Address of one of its listeners.
func (n *Node) Address(listener string) string { return n.hostPort(listener) }

// LogPath is the file that the node writes to.
func (n *Node) LogPath() string { return filepath.Join(n.dir(), "server.log") }

// Data is where its topics lie.
func (n *Node) Data() string { return filepath.Join(n.dir(), "data") }

// PID of the node's process; 0 when it does not run.
func (n *Node) PID() int {
	if !n.Running() {
		return 0
	}
	return n.process.cmd.Process.Pid
}

// Running reports whether the process is there, be it paused.
func (n *Node) Running() bool { return n.process.running() }

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
	if !n.Running() {
		return nil
	}
	n.process.signal(syscall.SIGTERM)
	patience := time.NewTimer(stopGrace)
	defer patience.Stop()
	select {
	case <-n.process.exited:
		return nil
	case <-patience.C:
		n.Kill()
		return fmt.Errorf("node %d did not stop within %s and was killed", n.id, stopGrace)
	}
}

// Kill ends the node as kill -9 does and returns when it is gone.
func (n *Node) Kill() {
	if n.Running() {
		n.process.signal(syscall.SIGKILL)
		<-n.process.exited
	}
}

// Pause freezes the node: its connections stay open and nobody answers.
func (n *Node) Pause() { n.process.signal(syscall.SIGSTOP) }

// Resume lets a paused node go on.
func (n *Node) Resume() { n.process.signal(syscall.SIGCONT) }

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
	cmd := n.java(ctx, nil, "kafka.tools.StorageTool", n.formatArguments()...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("format the storage of node %d: %w%s", n.id, errors.Join(err, context.Cause(ctx)), lastLines(out, 12))
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
func (n *Node) java(ctx context.Context, flags []string, class string, args ...string) *exec.Cmd {
	all := slices.Concat(n.cluster.dist.flags(n.cluster.options.heap()), flags,
		[]string{"-Dlog4j2.configurationFile=" + n.cluster.logConfig(), class}, args)
	cmd := exec.CommandContext(ctx, n.cluster.dist.Java, all...)
	cmd.Dir, cmd.Env = n.dir(), cleanEnviron()
	return cmd
}

// launch starts the program and waits until it says that it has started, which a
// broker does when the controllers have let it in.
func (n *Node) launch(ctx context.Context) error {
	log, err := openLog(n.LogPath())
	if err != nil {
		return err
	}
	cmd := n.java(context.WithoutCancel(ctx), n.cluster.options.Java, "kafka.Kafka", n.configPath())
	cmd.Stdout, cmd.Stderr = log, log
	if n.process, err = begin(cmd, log); err != nil {
		return err
	}
	select {
	case <-log.started:
		return nil
	case <-n.process.exited:
		return n.whyItEnded(log)
	case <-ctx.Done():
		n.Kill()
		return fmt.Errorf("node %d did not start in time: %w%s", n.id, context.Cause(ctx), log.tail())
	}
}

func (n *Node) whyItEnded(log *logFile) error {
	tail := log.tail()
	if log.taken() {
		return fmt.Errorf("node %d: %w%s", n.id, errPortTaken, tail)
	}
	return fmt.Errorf("node %d ended at once%s", n.id, tail)
}
