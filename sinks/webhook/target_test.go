package webhook_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/deliver"
	"github.com/evertdb/evert/sinks/sinktest"
	"github.com/evertdb/evert/sinks/webhook"
)

// TestTarget runs the suite over each shape of a request.
func TestTarget(t *testing.T) {
	for _, shape := range []webhook.Config{{}, {Format: webhook.NDJSON, MaxRows: 3}, {MaxBytes: 700, InFlight: 4}} {
		t.Run(fmt.Sprintf("%s rows %d bytes %d lanes %d", shape.Format, shape.MaxRows, shape.MaxBytes, shape.InFlight), func(t *testing.T) {
			sinktest.RunTarget(t, func(t *testing.T) sinktest.TargetHarness {
				e := newEndpoint(t)
				return sinktest.TargetHarness{Rows: e.Rows, New: func(testing.TB) deliver.Target {
					c := e.config()
					c.Format, c.MaxRows, c.MaxBytes, c.InFlight = shape.Format, shape.MaxRows, shape.MaxBytes, shape.InFlight
					return webhook.New(c)
				}}
			})
		})
	}
}

// TestSeveral runs the clauses of several tables in one sink, over one request at a time
// and several.
func TestSeveral(t *testing.T) {
	for _, lanes := range []int{1, 3} {
		t.Run(fmt.Sprintf("%d lanes", lanes), func(t *testing.T) {
			sinktest.RunSeveral(t, func(t *testing.T) sinktest.SeveralHarness {
				e := newEndpoint(t)
				return sinktest.SeveralHarness{Rows: e.both, New: func(testing.TB) deliver.Target {
					c := e.config()
					c.InFlight, c.MaxRows = lanes, 2
					return webhook.New(c)
				}}
			})
		})
	}
}

// TestSignature verifies requests as a receiver does that knows one secret, while
// there are two.
func TestSignature(t *testing.T) {
	e := newEndpoint(t)
	c := e.config()
	c.Secrets = func() ([]string, error) {
		return []string{"whsec_" + base64.StdEncoding.EncodeToString([]byte("new secret")), "old secret"}, nil
	}
	c.Headers = func() (map[string]string, error) {
		return map[string]string{"Authorization": "Bearer t", "webhook-id": "not ours to set"}, nil
	}
	s := open(t, c)
	s.write(sinktest.Put(1, "a"))
	s.commit()
	r := e.got()[0]
	if r.Get("Authorization") != "Bearer t" || r.Get("webhook-id") != r.Get("Idempotency-Key") || !strings.HasPrefix(r.Get("webhook-id"), "evt_") {
		t.Errorf("headers: %v", r.Header)
	}
	if at, err := strconv.ParseInt(r.Get("webhook-timestamp"), 10, 64); err != nil || time.Since(time.Unix(at, 0)).Abs() > time.Minute {
		t.Errorf("timestamp %q", r.Get("webhook-timestamp"))
	}
	for _, secret := range []string{"new secret", "old secret"} {
		mac := hmac.New(sha256.New, []byte(secret))
		fmt.Fprintf(mac, "%s.%s.%s", r.Get("webhook-id"), r.Get("webhook-timestamp"), r.body)
		want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
		if !strings.Contains(" "+r.Get("webhook-signature")+" ", " "+want+" ") {
			t.Errorf("%s: signature %q, want %q in it", secret, r.Get("webhook-signature"), want)
		}
	}
}

// TestRanked tells that requests with events of one place are told apart where events
// have ranks, and that one which is sent again has the key that it had.
func TestRanked(t *testing.T) {
	e := newEndpoint(t)
	c := e.config()
	c.MaxRows = 1
	one, other := sinktest.Put(1, "a"), sinktest.Put(2, "b")
	one.Offset, one.Rank, other.Offset, other.Rank = 7, 3, 7, 3
	for range 2 {
		s := open(t, c)
		s.write(one, other, sinktest.Put(3, "c")) // which has the other one sent, and the process dies
	}
	var keys []string
	for _, r := range e.got() {
		keys = append(keys, r.Get("Idempotency-Key"))
		if !strings.Contains(string(r.body), `"rank":3,"filling"`) {
			t.Errorf("a body without a rank: %s", r.body)
		}
	}
	if len(keys) != 4 || keys[0] == keys[1] || keys[0] != keys[2] || keys[1] != keys[3] {
		t.Errorf("the keys are %v", keys)
	}
}

// TestSignatureVector signs the example of the Standard Webhooks specification.
func TestSignatureVector(t *testing.T) {
	got, err := webhook.Signatures([]string{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; err != nil || got != want {
		t.Errorf("signs %q, %v, want %q", got, err, want)
	}
}

// TestIdempotencyKey sends a batch, dies before the place is kept, and sends it
// again as another process.
func TestIdempotencyKey(t *testing.T) {
	e := newEndpoint(t)
	for range 2 {
		s := open(t, e.config())
		s.write(sinktest.Put(1, "a"), sinktest.Put(2, "b"))
		if err := s.target.Write(t.Context(), s.batch()); err != nil {
			t.Fatal(err)
		}
		// The place is never kept: the keeper went to another.
		if _, err := e.keeper.New().Open(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := s.target.Commit(t.Context(), place()); err == nil {
			t.Fatal("a target that was replaced keeps its place")
		}
	}
	all := e.got()
	if len(all) != 2 || all[0].Get("Idempotency-Key") != all[1].Get("Idempotency-Key") || string(all[0].body) != string(all[1].body) {
		t.Fatalf("%d requests, keys %q and %q", len(all), all[0].Get("Idempotency-Key"), all[len(all)-1].Get("Idempotency-Key"))
	}
	s := open(t, e.config())
	s.offset = 2
	s.write(sinktest.Put(1, "a"), sinktest.Put(2, "b"))
	s.commit()
	if all = e.got(); all[2].Get("Idempotency-Key") == all[0].Get("Idempotency-Key") {
		t.Error("other places have the same key")
	}
}

// TestRetries lets the endpoint fail in every way that passes, and looks that the
// same request comes again until it is taken, in order (I4).
func TestRetries(t *testing.T) {
	for name, fail := range map[string]func(n int, w http.ResponseWriter) int{
		"408":     func(int, http.ResponseWriter) int { return 408 },
		"425":     func(int, http.ResponseWriter) int { return 425 },
		"429":     func(int, http.ResponseWriter) int { return 429 },
		"500":     func(int, http.ResponseWriter) int { return 500 },
		"503":     func(int, http.ResponseWriter) int { return 503 },
		"hung up": func(int, http.ResponseWriter) int { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			e, failed := newEndpoint(t), 0
			e.answer = func(n int, _ *request, w http.ResponseWriter) int {
				if failed++; failed%3 != 0 {
					return fail(n, w)
				}
				return 0
			}
			c := e.config()
			c.MaxRows = 1
			s := open(t, c)
			s.write(sinktest.Put(1, "a"), sinktest.Put(1, "b"), sinktest.Put(2, "c"), sinktest.Gone(2))
			s.commit()
			if got := e.Rows(t); !maps.Equal(got, map[int64]string{1: "b"}) || failed != 12 {
				t.Errorf("after %d requests the endpoint holds %v", failed, got)
			}
		})
	}
}

// TestTakenAndNotAnswered loses the answers: what was done is sent again, under
// the same key.
func TestTakenAndNotAnswered(t *testing.T) {
	e := newEndpoint(t)
	e.after = func(n int, _ http.ResponseWriter) {
		if n == 0 {
			panic(http.ErrAbortHandler)
		}
	}
	s := open(t, e.config())
	s.write(sinktest.Put(1, "a"))
	s.commit()
	all := e.got()
	if len(all) != 2 || all[0].Get("Idempotency-Key") != all[1].Get("Idempotency-Key") || e.Rows(t)[1] != "a" {
		t.Errorf("%d requests, rows %v", len(all), e.Rows(t))
	}
}

// TestRetryAfter obeys the endpoint, and gives up where it asks for too much.
func TestRetryAfter(t *testing.T) {
	e := newEndpoint(t)
	e.answer = func(n int, _ *request, w http.ResponseWriter) int {
		switch n {
		case 0:
			w.Header().Set("Retry-After", "1")
			return 429
		case 2:
			w.Header().Set("Retry-After", time.Now().Add(3*time.Hour).UTC().Format(http.TimeFormat))
			return 503
		}
		return 0
	}
	c := e.config()
	var waited time.Duration
	c.Waiting = func(_ error, pause time.Duration) { waited += pause }
	s := open(t, c)
	s.write(sinktest.Put(1, "a"))
	began := time.Now()
	s.commit()
	if waited != time.Second || time.Since(began) < time.Second {
		t.Errorf("waits %v", waited)
	}
	s.refuses(webhook.CodeAway)
}

// TestAway gives up after a while, with the reason and without the address.
func TestAway(t *testing.T) {
	e := newEndpoint(t)
	c := e.config()
	c.RetryFor = 20 * time.Millisecond
	c.URL = func() (string, error) {
		return strings.Replace(e.URL, "http://", "http://user:hunter2@", 1) + "/hunter2", nil
	}
	s := open(t, c)
	e.Close()
	if err := s.refuses(webhook.CodeAway); strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the error tells a secret: %v", err)
	}
}

// TestRejected finds the events that the endpoint does not take among those that
// it does, and goes on without them.
func TestRejected(t *testing.T) {
	for _, status := range []int{400, 409, 413, 422} {
		t.Run(fmt.Sprintf("R09 the poison record alone is rejected, %d", status), func(t *testing.T) {
			e, kept := newEndpoint(t), &rejects{}
			e.answer = func(_ int, r *request, _ http.ResponseWriter) int {
				for _, event := range r.events {
					if strings.Contains(string(event), "poison") {
						return status
					}
				}
				return 0
			}
			c := e.config()
			c.Rejects = kept
			s, want := open(t, c), map[int64]string{}
			for id := range int64(40) {
				if id == 7 || id == 8 || id == 39 {
					s.write(sinktest.Put(id, "poison"))
					continue
				}
				s.write(sinktest.Put(id, "good"))
				want[id] = "good"
			}
			s.commit()
			if got := e.Rows(t); !maps.Equal(got, want) {
				t.Errorf("the endpoint holds %v", got)
			}
			var offsets []int64
			for _, r := range kept.all {
				offsets = append(offsets, r.Place.Offset)
				if r.Why.Code != webhook.CodeRejected || strings.Contains(r.Why.Error(), "poison") {
					t.Errorf("rejected with %v", r.Why)
				}
			}
			if fmt.Sprint(offsets) != "[8 9 40]" {
				t.Errorf("rejected %v", offsets)
			}
		})
	}
	t.Run("by default the sink stops, and names the place", func(t *testing.T) {
		e := newEndpoint(t)
		e.answer = func(int, *request, http.ResponseWriter) int { return 422 }
		if err := open(t, e.config()).refuses(webhook.CodeRejected); !strings.Contains(err.Error(), "app.public.items/0 at offset 1") {
			t.Error(err)
		}
	})
}

// TestRefused stops at an endpoint that takes nothing from us: its rows are not
// rejected one by one.
func TestRefused(t *testing.T) {
	for _, status := range []int{401, 403, 404, 405, 407, 410} {
		e, kept := newEndpoint(t), &rejects{}
		e.answer = func(int, *request, http.ResponseWriter) int { return status }
		c := e.config()
		c.Rejects = kept
		open(t, c).refuses(webhook.CodeRefused)
		if len(kept.all) != 0 || len(e.got()) != 1 {
			t.Errorf("%d: %d requests, rejected %v", status, len(e.got()), kept.all)
		}
	}
}

// TestOrder sends many changes of few keys over several lanes; every request may
// fail. Each key's events come in the order of the log (I4).
func TestOrder(t *testing.T) {
	e := newEndpoint(t)
	last, calls := map[string]uint64{}, 0
	e.answer = func(_ int, r *request, _ http.ResponseWriter) int {
		if calls++; calls%4 == 0 {
			return 503
		}
		for _, raw := range r.events {
			var event struct {
				Key   json.RawMessage
				Place struct{ Offset uint64 }
			}
			if err := json.Unmarshal(raw, &event); err != nil || event.Place.Offset <= last[string(event.Key)] {
				t.Errorf("%s came after offset %d: %v", raw, last[string(event.Key)], err)
			}
			last[string(event.Key)] = event.Place.Offset
		}
		return 0
	}
	c := e.config()
	c.InFlight, c.MaxRows = 4, 5
	s := open(t, c)
	var changes []pipeline.Change
	for n := range int64(500) {
		changes = append(changes, sinktest.Put(n%11, strconv.FormatInt(n, 10)))
	}
	s.write(changes...)
	s.commit()
	if len(last) != 11 {
		t.Errorf("%d keys came", len(last))
	}
}
