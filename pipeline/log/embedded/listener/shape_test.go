package listener

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"runtime"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestShapesAreThoseOfTheProtocol fills requests of every kind and version at
// random: the shape measures exactly what kmsg writes, and what is left of it
// reads as the same request.
func TestShapesAreThoseOfTheProtocol(t *testing.T) {
	const seed = 1
	rng := rand.New(rand.NewPCG(seed, 0))
	apis, err := compileAPIs()
	if err != nil {
		t.Fatal(err)
	}
	for key, a := range apis {
		for v, b := range a.bodies {
			for range 20 {
				r := kmsg.RequestForKey(key)
				r.SetVersion(v)
				fillRandom(rng, reflect.ValueOf(r).Elem(), 3)
				r.SetVersion(v)
				wire := r.AppendTo(nil)
				plain, err := b.measure(nil, wire, 1<<20)
				if err != nil || !bytes.Equal(plain, wire) {
					t.Fatalf("%s version %d: %v; seed %d\n% x\n% x", a.key.Name(), v, err, seed, wire, plain)
				}
				for n := range wire {
					if _, err := b.measure(nil, wire[:n], 1<<20); err == nil {
						t.Fatalf("%s version %d: cut to %d of %d bytes and accepted", a.key.Name(), v, n, len(wire))
					}
				}
			}
		}
	}
}

// fillRandom fills a request, but for tagged fields, which a consumer does not
// send: kmsg writes none that has its default.
func fillRandom(rng *rand.Rand, v reflect.Value, depth int) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			switch f := v.Type().Field(i); f.Name {
			case "Version", "UnknownTags", "ClusterID", "ReplicaState", "ReplicaDirectoryID", "HighWatermark":
			default:
				fillRandom(rng, v.Field(i), depth)
			}
		}
		if d, ok := v.Addr().Interface().(interface{ Default() }); ok && rng.IntN(4) == 0 {
			d.Default()
		} else if f := v.FieldByName("HighWatermark"); f.IsValid() {
			f.SetInt(1<<63 - 1)
		}
		if f := v.FieldByName("ReplicaState"); f.IsValid() {
			f.FieldByName("ID").SetInt(-1)
			f.FieldByName("Epoch").SetInt(-1)
		}
	case reflect.Slice:
		n := rng.IntN(depth + 1)
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes(make([]byte, rng.IntN(200)))
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			fillRandom(rng, v.Index(i), depth-1)
		}
	case reflect.Pointer:
		if rng.IntN(3) > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			fillRandom(rng, v.Elem(), depth)
		}
	case reflect.String:
		v.SetString(fmt.Sprint(rng.Uint64()))
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(rng.Int64N(100))
	case reflect.Bool:
		v.SetBool(rng.IntN(2) == 0)
	}
}

// TestHostileBodies is about requests that claim more than they hold: they are
// refused before anything is made for them.
func TestHostileBodies(t *testing.T) {
	apis, err := compileAPIs()
	if err != nil {
		t.Fatal(err)
	}
	claim := []byte{0xff, 0xff, 0xff, 0xff, 0x0f} // 4 billion, as a varint
	fetch := apis[kmsg.Fetch.Int16()].bodies[17]
	metadata := apis[kmsg.Metadata.Int16()]
	cases := []struct {
		name string
		body *body
		of   []byte
	}{
		{"X18 four billion tags", apis[kmsg.ApiVersions.Int16()].bodies[4], append([]byte{1, 1}, claim...)},
		{"X18 four billion topics", fetch, append(make([]byte, 21), claim...)},
		{"X18 an array as long as the request", metadata.bodies[1], append([]byte{0, 3, 0xff, 0xff}, make([]byte, 1<<18)...)},
		{"X18 an array of negative length", metadata.bodies[1], []byte{0x80, 0, 0, 0}},
		{"X18 a string behind the end", metadata.bodies[1], []byte{0, 0, 0, 1, 0x7f, 0xff}},
		{"X18 bytes behind the end of the request", metadata.bodies[1], []byte{0, 0, 0, 0, 0}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			took := time.Hour
			for range 3 { // the quickest: who is not let run for a while takes long for nothing
				began, before := time.Now(), allocated()
				_, err := c.body.measure(nil, c.of, 1<<20/elementBytes)
				if made := allocated() - before; err == nil || made > 4<<20 {
					t.Errorf("%v after %d bytes", err, made)
				}
				took = min(took, time.Since(began))
			}
			if took > time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}

func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// FuzzRequest gives the decoder whatever there is (X18): it neither panics nor
// makes more than a small multiple of what it was given.
func FuzzRequest(f *testing.F) {
	apis, err := compileAPIs()
	if err != nil {
		f.Fatal(err)
	}
	for key, a := range apis {
		for v := range a.bodies {
			r := kmsg.RequestForKey(key)
			r.SetVersion(v)
			f.Add(key, v, append([]byte{0, 1, 'x', 0}, r.AppendTo(nil)...))
		}
	}
	limits := Limits{}.withDefaults()
	f.Fuzz(func(t *testing.T, key, version int16, rest []byte) {
		a := apis[key]
		if a == nil || a.bodies[version] == nil || len(rest) > limits.RequestBytes {
			return
		}
		c := &conn{Server: &Server{apis: apis, limits: limits}}
		before := allocated()
		_, err := c.decode(a, &frame{key: key, version: version, body: rest})
		if made := allocated() - before; made > 64<<10+uint64(len(rest))*64 {
			t.Errorf("%s version %d: %d bytes made of %d, error %v", a.key.Name(), version, made, len(rest), err)
		}
	})
}
