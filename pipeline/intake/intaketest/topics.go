package intaketest

import (
	"context"
	"testing"

	"github.com/evertdb/evert/pipeline/log"
)

// Poison gives records that cannot be read, by what is wrong with them. The last two
// hold for a log in which a key has schema 1 and a value schema 2.
func Poison() map[string]log.Record {
	return map[string]log.Record{
		"R09 no schema id":      {Key: []byte("k"), Value: []byte("v")},
		"R09 an unknown schema": {Key: []byte("\x00\x00\x00\x00\x63k"), Value: []byte("\x00\x00\x00\x00\x63v")},
		"R09 a torn value":      {Key: []byte("\x00\x00\x00\x00\x01\x02"), Value: []byte("\x00\x00\x00\x00\x02\x00")},
		"R09 a torn key":        {Key: []byte("\x00\x00\x00\x00\x01\xff")},
	}
}

// Frontier reads the frontier in a topic, as any reader would; there has to be one.
func Frontier(t testing.TB, l log.Log, topic string) *log.Frontier {
	t.Helper()
	fold, err := log.ReadFrontier(context.Background(), l, topic)
	if err != nil {
		t.Fatal(err)
	}
	f, ok := fold.Frontier()
	if !ok {
		t.Fatalf("topic %s has no frontier", topic)
	}
	return f
}
