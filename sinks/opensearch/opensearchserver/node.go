//go:build unix

package opensearchserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/evertdb/evert/pipeline/loopback"
	"github.com/evertdb/evert/pipeline/loopback/child"
	"github.com/evertdb/evert/pipeline/loopback/jvm"
)

// Options of a node. The zero value is a small one in a temporary directory.
type Options struct {
	// Dir holds the node and stays after Close; one of an earlier node is started
	// again. Empty: temporary, removed by Close.
	Dir string
	// Settings are lines of opensearch.yml, as "thread_pool.write.queue_size: 10".
	Settings []string
	// Heap, as Java writes sizes; "" is 384m.
	Heap string
	// Fast spends more on the start for a node that works longer.
	Fast bool
	// Java are further flags of the virtual machine.
	Java []string
}

// A Node is a cluster of one node. Its methods are called by one goroutine at a
// time.
type Node struct {
	dist            Distribution
	options         Options
	dir             string
	http, transport int
	ports           []*loopback.Port
	process         *child.Process
}

// startTimeout bounds a start whose context has no earlier end.
const startTimeout = 2 * time.Minute

// The runner looks for a port from the one it is given up to 9299.
const firstPort, lastPort = 3000, 9290

// Start makes a node and returns when it takes requests. ctx bounds the start, not
// the node's life. After an error nothing runs and nothing temporary is left.
func Start(ctx context.Context, d Distribution, o Options) (*Node, error) {
	n := &Node{dist: d, options: o}
	if err := n.begin(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("start OpenSearch %s: %w", d.Version, err), n.Close())
	}
	return n, nil
}

func (n *Node) begin(ctx context.Context) (err error) {
	if n.options.Dir == "" {
		n.dir, err = os.MkdirTemp("", "evert-opensearch-")
	} else if n.dir, err = filepath.Abs(n.options.Dir); err == nil {
		err = os.MkdirAll(n.dir, 0o755)
	}
	if err != nil {
		return err
	}
	return loopback.Retry(func() error {
		if err := n.choosePorts(); err != nil {
			return err
		}
		return n.Start(ctx)
	})
}

// choosePorts gives both listeners another one.
func (n *Node) choosePorts() (err error) {
	n.leavePorts()
	for _, number := range []*int{&n.http, &n.transport} {
		port, err := loopback.TakeBetween(firstPort, lastPort)
		if err != nil {
			return err
		}
		n.ports = append(n.ports, port)
		*number = port.Number
	}
	return nil
}

func (n *Node) leavePorts() {
	for _, port := range n.ports {
		port.Close()
	}
	n.ports = nil
}

// URL of the node; the same over restarts.
func (n *Node) URL() string { return "http://127.0.0.1:" + strconv.Itoa(n.http) }

// LogPath is the file that the node writes to.
func (n *Node) LogPath() string { return filepath.Join(n.dir, "server.log") }

// PID of the node's process; 0 when it does not run.
func (n *Node) PID() int { return n.process.PID() }

// Start starts a node that does not run, and returns when it takes requests.
func (n *Node) Start(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := n.configure(); err != nil {
		return err
	}
	cmd := exec.Command(n.dist.Java, n.arguments()...)
	cmd.Dir, cmd.Env = n.dir, jvm.Environ("OPENSEARCH_")
	if n.process, err = child.Start(cmd, nil, syscall.SIGKILL, n.LogPath()); err != nil {
		return err
	}
	if err := n.process.Await(ctx, func() bool { return n.process.Said(hasStarted) }, portTaken); err != nil {
		n.Kill()
		return err
	}
	if n.process.Said(portTaken) || !n.process.Said("HTTP Port:      "+strconv.Itoa(n.http)) {
		n.Kill()
		return loopback.ErrTaken
	}
	return nil
}

// Stop asks the node to end, and returns when it is gone. After half a minute it is
// killed, which is an error.
func (n *Node) Stop() error { return n.process.Stop() }

// Kill ends the node as kill -9 does and returns when it is gone.
func (n *Node) Kill() { n.process.Kill() }

// Close kills the node and removes what was temporary. It may be called again.
func (n *Node) Close() error {
	n.Kill()
	n.leavePorts()
	if n.options.Dir != "" || n.dir == "" {
		return nil
	}
	return os.RemoveAll(n.dir)
}

// configure writes the node's settings. A disk that is nearly full is no reason to
// refuse the little that a test writes.
func (n *Node) configure() error {
	dir := filepath.Join(n.dir, "node_1", "config")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	settings := append([]string{
		"network.host: 127.0.0.1",
		"transport.port: " + strconv.Itoa(n.transport),
		"discovery.type: single-node",
		"bootstrap.system_call_filter: false",
		"cluster.routing.allocation.disk.threshold_enabled: false",
		"gateway.auto_import_dangling_indices: false",
	}, n.options.Settings...)
	return errors.Join(
		os.WriteFile(filepath.Join(dir, "opensearch.yml"), []byte(strings.Join(settings, "\n")+"\n"), 0o600),
		os.WriteFile(filepath.Join(dir, "log4j2.properties"), []byte(logConfig), 0o600),
	)
}

// modules are those that a sink meets: HTTP, analysers, further field types, and
// what deletes by query.
var modules = []string{
	"org.opensearch.transport.Netty4Plugin",
	"org.opensearch.analysis.common.CommonAnalysisPlugin",
	"org.opensearch.index.mapper.MapperExtrasPlugin",
	"org.opensearch.index.reindex.ReindexPlugin",
}

func (n *Node) arguments() []string {
	heap := n.options.Heap
	if heap == "" {
		heap = "384m"
	}
	return slices.Concat(n.dist.Flags(heap, n.options.Fast), n.options.Java, []string{
		"org.codelibs.opensearch.runner.OpenSearchRunner", "-basePath", n.dir, "-numOfNode", "1",
		"-baseHttpPort", strconv.Itoa(n.http - 1), "-clusterName", "evert", "-moduleTypes", strings.Join(modules, ","),
	})
}
