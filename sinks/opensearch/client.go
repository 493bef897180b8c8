package opensearch

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/evertdb/evert/pipeline"
)

// A client sends requests to one cluster. Safe for concurrent use.
type client struct {
	o    *Options
	http *http.Client
	base string
}

// mostAnswer bounds the bytes of an answer: those of a bulk request say little of
// each operation, and the descriptions of indexes are asked for in part.
const mostAnswer = 64 << 20

func newClient(o *Options) (*client, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("the address is not http(s)://host:port")
	}
	if u.User != nil && o.Auth == nil {
		password, _ := u.User.Password()
		o.Auth = Basic{u.User.Username(), password}
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = o.TLS
	transport.MaxIdleConnsPerHost = o.Requests + 1
	return &client{o: o, base: u.Scheme + "://" + u.Host + strings.TrimRight(u.EscapedPath(), "/"), http: &http.Client{
		Transport: transport,
		Timeout:   o.Timeout,
		// X09: whatever answers, no other host is told anything.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

func (c *client) close() { c.http.CloseIdleConnections() }

// An answer is what came back, whole.
type answer struct {
	status int
	after  time.Duration // the server's wish for the next attempt; 0: none
	body   []byte
}

func (a *answer) ok() bool { return a.status >= 200 && a.status < 300 }

// busy reports whether the same request may be taken later.
func (a *answer) busy() bool {
	switch a.status {
	case http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// failure is how the server says what is wrong; older ones and proxies say it as a
// text.
type failure struct {
	Type     string   `json:"type"`
	Reason   string   `json:"reason"`
	CausedBy *failure `json:"caused_by"`
}

// kind is the type of the failure that an answer tells of; "" if it tells none.
func (a *answer) kind() string { return a.failure().Type }

// failure is what an answer tells of; an empty one if it tells none.
func (a *answer) failure() *failure {
	var told struct{ Error json.RawMessage }
	var f failure
	if json.Unmarshal(a.body, &told) != nil || json.Unmarshal(told.Error, &f) != nil {
		return &failure{}
	}
	return &f
}

const (
	asJSON  = "application/json"
	asLines = "application/x-ndjson"
)

// send sends one request. An error means that it is not known whether it had an
// effect.
func (c *client) send(ctx context.Context, method, path, form string, body []byte) (*answer, error) {
	return receive(c.begin(ctx, method, path, form, body))
}

// begin sends a request and gives its answer unread.
func (c *client) begin(ctx context.Context, method, path, form string, body []byte) (*http.Response, error) {
	packed, isPacked := body, c.o.Gzip && len(body) > 0
	if isPacked {
		packed = pack(body)
	}
	r, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	if len(body) > 0 {
		r.Header.Set("Content-Type", form)
	}
	if isPacked {
		r.Header.Set("Content-Encoding", "gzip")
	}
	if c.o.Auth != nil {
		if err := c.o.Auth.Authorize(r, packed); err != nil {
			return nil, fmt.Errorf("sign the request: %w", err)
		}
	}
	return c.http.Do(r)
}

func pack(body []byte) []byte {
	var out bytes.Buffer
	w, _ := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	_, _ = w.Write(body)
	_ = w.Close() // a buffer takes everything
	return out.Bytes()
}

func receive(r *http.Response, err error) (*answer, error) {
	if err != nil {
		return nil, err
	}
	defer r.Body.Close()
	body, err := io.ReadAll(io.LimitReader(r.Body, mostAnswer+1))
	if err == nil && len(body) > mostAnswer {
		err = errors.New("the answer is too large")
	}
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	a := &answer{status: r.StatusCode, body: body}
	if seconds, err := strconv.Atoi(r.Header.Get("Retry-After")); err == nil && seconds > 0 {
		a.after = time.Duration(seconds) * time.Second
	}
	return a, nil
}

// ask sends a request that may be sent again, until the cluster is neither busy nor
// away, and decodes what it answers into out if that is well.
func (c *client) ask(ctx context.Context, method, path string, in, out any) (*answer, error) {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return nil, err
		}
	}
	wait := c.patience()
	for {
		a, err := c.send(ctx, method, path, asJSON, body)
		if err == nil && !a.busy() {
			return a, a.decode(out)
		}
		if err := wait.again(ctx, a, err); err != nil {
			return nil, err
		}
	}
}

func (a *answer) decode(out any) error {
	if out == nil || !a.ok() {
		return nil
	}
	return json.Unmarshal(a.body, out)
}

// A patience is how long a cluster is asked again.
type patience struct {
	c      *client
	next   time.Duration
	waited time.Duration // without progress
	since  time.Time     // of the last progress
}

const firstPause, longestPause = 50 * time.Millisecond, 10 * time.Second

func (c *client) patience() *patience {
	return &patience{c: c, next: firstPause, since: time.Now()}
}

// progress begins anew.
func (p *patience) progress() { p.next, p.waited, p.since = firstPause, 0, time.Now() }

// again waits before the next attempt. Its error is why there is none.
func (p *patience) again(ctx context.Context, a *answer, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if max(p.waited, time.Since(p.since)) >= p.c.o.Patience {
		return p.c.o.exhausted(a, err)
	}
	pause := p.next/2 + rand.N(p.next/2+1)
	if a != nil {
		pause = max(pause, min(a.after, longestPause))
	}
	p.next = min(p.next*2, longestPause)
	p.waited += pause
	if w := p.c.o.Waiting; w != nil && pause >= time.Second {
		w(p.c.o.exhausted(a, err), pause)
	}
	return p.c.sleep(ctx, pause)
}

func (c *client) sleep(ctx context.Context, d time.Duration) error {
	if c.o.Sleep != nil {
		return c.o.Sleep(ctx, d)
	}
	return pipeline.Pause(ctx, d)
}

// exhausted is the error of a cluster that is busy, or away.
func (o *Options) exhausted(a *answer, err error) error {
	r := o.refuse(codeBusy, "the cluster cannot be reached", "start it, or correct opensearch.url; what was not delivered waits in the log")
	r.Err = err
	if a != nil {
		r.What = strings.TrimRight(fmt.Sprintf("the cluster is busy (HTTP %d %s", a.status, a.kind()), " ") + ")"
		r.Mend = "give it more room, or lower opensearch.requests; what was not delivered waits in the log"
	}
	return r
}
