//go:build unix

package main

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/evertdb/evert/cmd/evert/api"
	"github.com/evertdb/evert/cmd/evert/look"
	"github.com/evertdb/evert/cmd/evert/storage"
	"github.com/evertdb/evert/cmd/evert/terminal"
	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline/log/kafka"
	"github.com/evertdb/evert/pipeline/log/kafka/kafkaserver"
	"github.com/evertdb/evert/pipeline/log/kafka/kafkaserver/kafkatest"
)

// K06 what the cluster promises is said at start, in the status and, by its
// number, in the metrics: here by Apache Kafka with transaction.version 1.
func TestClusterIsReported(t *testing.T) {
	c := kafkatest.Start(t, kafkaserver.Options{Features: map[string]int{"transaction.version": 1}})
	var said bytes.Buffer
	config := &configs.Config{Name: "test", Kafka: &configs.Kafka{Brokers: c.Brokers()}}
	l, err := storage.OpenKafka(t.Context(), config, true, slog.New(slog.NewTextHandler(&said, nil)), kafka.Events{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, want := range []string{"connected to the cluster", "transaction_version=1", "lacks transaction.version 2"} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("not logged: %q in\n%s", want, said.String())
		}
	}
	if got := l.Status().Cluster; got == nil || got.TransactionVersion != 1 || got.Brokers != 1 || got.ID == "" {
		t.Errorf("the status has %+v", got)
	}
	var text bytes.Buffer
	if err := look.WriteStatus(&text, terminal.Style{}, &api.Status{Log: l.Status()}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text.String(), "1 brokers of version") || !strings.Contains(text.String(), "transaction.version 1") {
		t.Errorf("for people:\n%s", text.String())
	}
}
