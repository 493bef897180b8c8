//go:build unix

package kafkaserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/evertdb/evert/pipeline/loopback"
)

// A Cluster is a number of nodes, owned by whoever called Start. Its own methods
// may be called from any goroutine; those of one Node by one at a time.
type Cluster struct {
	dist    Distribution
	options Options
	dir     string
	nodes   []*Node // brokers, then controllers
	ports   []*loopback.Port
}

// startTimeout bounds a start whose context has no earlier end.
const startTimeout = 2 * time.Minute

// Start formats the storage where that was not done yet, starts every node, and
// returns when all of them take requests. ctx bounds the start, not the
// cluster's life. After an error nothing runs and nothing temporary is left.
func Start(ctx context.Context, d Distribution, o Options) (*Cluster, error) {
	c := &Cluster{dist: d, options: o}
	err := c.start(ctx)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start Apache Kafka %s: %w", d.Version, err), c.Close())
	}
	return c, nil
}

func (c *Cluster) start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := c.prepare(); err != nil {
		return err
	}
	return loopback.Retry(func() error {
		if err := c.choosePorts(); err != nil {
			return err
		}
		return c.startAll(ctx)
	})
}

// startAll starts every node, or none: the others would wait for one that
// cannot.
func (c *Cluster) startAll(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	err := c.each(func(n *Node) error {
		err := n.Start(ctx)
		if err != nil {
			cancel()
		}
		return err
	})
	if err != nil {
		c.kill()
	}
	return err
}

func (c *Cluster) kill() { _ = c.each(func(n *Node) error { n.Kill(); return nil }) }

// prepare makes the directory and lists the nodes.
func (c *Cluster) prepare() (err error) {
	if c.options.Dir == "" {
		c.dir, err = os.MkdirTemp("", "evert-kafka-")
	} else if c.dir, err = filepath.Abs(c.options.Dir); err == nil {
		err = os.MkdirAll(c.dir, 0o755)
	}
	if err != nil {
		return err
	}
	for id := 1; id <= c.options.brokers(); id++ {
		c.nodes = append(c.nodes, &Node{id: id, cluster: c, broker: true, controller: c.options.Controllers == 0})
	}
	for i := range c.options.Controllers {
		c.nodes = append(c.nodes, &Node{id: 101 + i, cluster: c, controller: true})
	}
	return os.WriteFile(c.logConfig(), []byte(logConfig), 0o600)
}

// choosePorts gives every listener another one.
func (c *Cluster) choosePorts() error {
	c.leavePorts()
	for _, n := range c.nodes {
		n.ports = map[string]int{}
		for _, name := range n.listeners() {
			port, err := loopback.Take()
			if err != nil {
				return err
			}
			c.ports = append(c.ports, port)
			n.ports[name] = port.Number
		}
	}
	return nil
}

func (c *Cluster) leavePorts() {
	for _, port := range c.ports {
		port.Close()
	}
	c.ports = nil
}

// each does something with every node at the same time.
func (c *Cluster) each(do func(n *Node) error) error {
	var all sync.WaitGroup
	errs := make([]error, len(c.nodes))
	for i, n := range c.nodes {
		all.Go(func() { errs[i] = do(n) })
	}
	all.Wait()
	return errors.Join(errs...)
}

// Brokers are the addresses of the listener PLAINTEXT.
func (c *Cluster) Brokers() []string { return c.Addresses(plaintext) }

// Addresses of a listener, one of each broker; the same over restarts.
func (c *Cluster) Addresses(listener string) (list []string) {
	for _, n := range c.nodes {
		if n.broker {
			list = append(list, n.Address(listener))
		}
	}
	return list
}

// Node gives a node by its id, nil if there is none.
func (c *Cluster) Node(id int) *Node {
	for _, n := range c.nodes {
		if n.id == id {
			return n
		}
	}
	return nil
}

// Nodes are all of them: brokers, then controllers.
func (c *Cluster) Nodes() []*Node { return c.nodes }

// Dir is the cluster's directory; see the package's layout.
func (c *Cluster) Dir() string { return c.dir }

// Close kills every node and removes what was temporary. It may be called again.
func (c *Cluster) Close() error {
	c.kill()
	c.leavePorts()
	if c.options.Dir != "" || c.dir == "" {
		return nil
	}
	return os.RemoveAll(c.dir)
}

func (c *Cluster) logConfig() string { return filepath.Join(c.dir, "log4j2.properties") }

// voters is the static quorum: id@host:port of every controller.
func (c *Cluster) voters() string {
	var list []string
	for _, n := range c.nodes {
		if n.controller {
			list = append(list, strconv.Itoa(n.id)+"@"+n.Address(controller))
		}
	}
	return strings.Join(list, ",")
}

func (n *Node) hostPort(name string) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(n.ports[name]))
}
