package avro_test

import (
	"errors"
	"testing"

	"github.com/evertdb/evert/schema/avro"
)

func TestWire(t *testing.T) {
	b := append(avro.AppendWire(nil, 0x01020304), "body"...)
	if string(b) != "\x00\x01\x02\x03\x04body" || len(b) != avro.WireHeader+4 {
		t.Errorf("record is % x", b)
	}
	id, body, err := avro.ParseWire(b)
	if id != 0x01020304 || string(body) != "body" || err != nil {
		t.Errorf("read as %d %q, %v", id, body, err)
	}
	for _, bad := range []string{"", "\x00\x00\x00\x01", "\x01\x00\x00\x00\x01x", "\x00\xff\x00\x00\x01x", `{"json": true}`} {
		if _, _, err := avro.ParseWire([]byte(bad)); !errors.Is(err, avro.ErrNotWire) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// The values are those of Kafka's own tests of murmur2.
func TestPartition(t *testing.T) {
	for key, hash := range map[string]int32{
		"21": -973932308, "foobar": -790332482, "a-little-bit-long-string": -985981536,
		"a-little-bit-longer-string":                       -1486304829,
		"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
		"abc": 479470107,
	} {
		for _, n := range []int{1, 7, 12, 1 << 30} {
			if got, want := avro.Partition([]byte(key), n), int(hash&0x7fffffff)%n; got != want {
				t.Errorf("%s of %d: partition %d, want %d", key, n, got, want)
			}
		}
	}
	if p := avro.Partition(nil, 10); p < 0 || p > 9 {
		t.Errorf("no bytes: partition %d", p)
	}
}
