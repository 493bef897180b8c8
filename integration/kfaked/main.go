// Command kfaked runs a fake Kafka cluster of one broker as a process of its
// own, for crash runs in which the cluster has to outlive the daemon.
//
//	kfaked -data DIR -port 19092 < pipe
//
// It prints `ready HOST:PORT` when it listens, and ends when its standard input
// does: a test holds the other end of the pipe, so that no fake outlives its
// test. With a data directory every batch is synced, and a killed fake comes
// back with what was committed; what was open is aborted, and its writers are
// fenced.
//
// It is no log for production. It never deletes and never compacts by itself:
// its own compaction is not safe against a crash, and its retention takes live
// keys of compacted topics.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/evertdb/evert/pipeline/loopback"
)

func main() {
	data := flag.String("data", "", "directory of the data; none keeps them in memory")
	port := flag.Int("port", 0, "port on the loopback address; 0 takes a free one")
	flag.Parse()
	if err := run(*data, *port); err != nil {
		fmt.Fprintln(os.Stderr, "kfaked:", err)
		os.Exit(1)
	}
}

func run(data string, port int) error {
	if err := recoverData(data); err != nil {
		return fmt.Errorf("settle what was open in %s: %w", data, err)
	}
	cluster, err := kfake.NewCluster(options(data, port)...)
	if err != nil {
		return err
	}
	defer cluster.Close()
	fmt.Println("ready", cluster.ListenAddrs()[0])
	end := make(chan os.Signal, 1)
	signal.Notify(end, os.Interrupt, syscall.SIGTERM)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		end <- syscall.SIGTERM
	}()
	<-end
	return nil
}

// recoverData settles a data directory on a port of its own, where no client
// of the former process comes in between.
func recoverData(data string) error {
	if entries, err := os.ReadDir(data); data == "" || err != nil || len(entries) == 0 {
		return nil
	}
	cluster, err := kfake.NewCluster(options(data, 0)...)
	if err != nil {
		return err
	}
	defer cluster.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return settle(ctx, cluster)
}

// listen takes a port that is free again after a restart.
func listen(string, string) (net.Listener, error) {
	port, err := loopback.Take()
	if err != nil {
		return nil, err
	}
	defer port.Close() // who listens needs no mark
	return net.Listen("tcp", port.Address())
}

// never is a time between cleanings that does not come, in ms.
const never = "100000000000"

func options(data string, port int) []kfake.Opt {
	opts := []kfake.Opt{
		kfake.NumBrokers(1), kfake.Ports(port),
		kfake.BrokerConfigs(map[string]string{
			"group.min.session.timeout.ms": "1000", // the dead are missed sooner than any broker would allow
			"log.retention.ms":             "-1",
			"log.cleaner.backoff.ms":       never,
			"message.max.bytes":            "16777216",
		}),
	}
	if port == 0 {
		opts = append(opts, kfake.ListenFn(listen))
	}
	if data != "" {
		opts = append(opts, kfake.DataDir(data), kfake.SyncWrites())
	}
	return opts
}
