package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/evertdb/evert/pipeline"
)

// client sends requests until they are answered. Its methods may be called from
// any goroutine.
type client struct {
	config *Config
	http   *http.Client
}

func newClient(c *Config) *client {
	return &client{c, &http.Client{CheckRedirect: redirects, Transport: &http.Transport{
		DialContext: dialer(c.LinkLocal), TLSClientConfig: c.TLS, TLSHandshakeTimeout: c.Timeout,
		MaxIdleConnsPerHost: c.InFlight, IdleConnTimeout: time.Minute, ForceAttemptHTTP2: true,
	}}}
}

func (k *client) close() { k.http.CloseIdleConnections() }

// check reads address, secrets and headers once, so that what is wrong with them
// shows before a row is read.
func (k *client) check() error {
	_, err := k.request(context.Background(), "check", nil)
	return err
}

// post sends a part until it is answered. rejected says that the endpoint does
// not take what is in it.
func (k *client) post(ctx context.Context, p part) (rejected *pipeline.Refusal, err error) {
	id, body := p.id(k.config.Name), p.body(k.config.Format)
	began, asked, pause := time.Now(), time.Duration(0), firstPause
	for {
		a, err := k.try(ctx, id, body)
		switch {
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case err != nil:
			return nil, err
		case a.verdict == taken:
			return nil, nil
		case a.verdict == rejects:
			return k.rejected(a.status, p), nil
		case time.Since(began)-asked+pause > k.config.RetryFor || a.wait > k.config.WaitMax:
			return nil, k.away(a)
		}
		wait := max(a.wait, jitter(pause))
		asked += a.wait
		k.config.Waiting(k.away(a), wait)
		if err := pipeline.Pause(ctx, wait); err != nil {
			return nil, err
		}
		pause = min(2*pause, k.config.RetryMax)
	}
}

// firstPause is the pause behind the first attempt; each further one is twice as
// long.
const firstPause = 100 * time.Millisecond

// jitter gives between half of d and all of it, so that many do not come at once.
func jitter(d time.Duration) time.Duration { return d/2 + rand.N(d/2+1) }

// try makes one attempt. An error is final.
func (k *client) try(ctx context.Context, id string, body []byte) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, k.config.Timeout)
	defer cancel()
	request, err := k.request(ctx, id, body)
	if err != nil {
		return answer{}, err
	}
	response, err := k.http.Do(request)
	if err != nil {
		return k.unanswered(err)
	}
	defer response.Body.Close()
	// What the endpoint says is not shown: it may repeat what it was sent.
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, maxAnswer))
	return k.judge(response)
}

// maxAnswer is how much of an answer is read, so that its connection can be used
// again.
const maxAnswer = 64 << 10

func (k *client) request(ctx context.Context, id string, body []byte) (*http.Request, error) {
	address, err := k.config.URL()
	if err != nil {
		return nil, k.unreadable(err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return nil, k.unreadable(errors.New("url is no address")) // the error would hold it
	}
	if err := k.sign(request.Header, id, body); err != nil {
		return nil, k.unreadable(err)
	}
	return request, nil
}

// sign sets the headers of an attempt; ours stand above those of the file.
func (k *client) sign(h http.Header, id string, body []byte) error {
	if k.config.Headers != nil {
		headers, err := k.config.Headers()
		if err != nil {
			return err
		}
		for name, value := range headers {
			h.Set(name, value)
		}
	}
	now := time.Now()
	h.Set("Content-Type", map[Format]string{JSON: "application/json", NDJSON: "application/x-ndjson"}[k.config.Format])
	h.Set("User-Agent", "evert")
	h.Set("Idempotency-Key", id)
	h.Set("webhook-id", id)
	h.Set("webhook-timestamp", strconv.FormatInt(now.Unix(), 10))
	if k.config.Secrets == nil {
		return nil
	}
	secrets, err := k.config.Secrets()
	if err != nil || len(secrets) == 0 {
		return err
	}
	signature, err := signatures(secrets, id, now, body)
	h.Set("webhook-signature", signature)
	return err
}

func (k *client) where() string { return "sink " + k.config.Name }

func (k *client) unreadable(err error) error {
	return &pipeline.Refusal{Code: CodeSecret, Where: k.where(), What: "its address, a secret or a header cannot be used", Err: err,
		Mend: "correct it below sinks." + k.config.Name + ".webhook, or the file that it names"}
}

func (k *client) away(a answer) error {
	what := "the endpoint does not answer"
	if a.status != 0 {
		what = fmt.Sprintf("the endpoint answers %d %s", a.status, http.StatusText(a.status))
	}
	if a.wait > 0 {
		what += ", and asks to come again in " + a.wait.Round(time.Second).String()
	}
	return &pipeline.Refusal{Code: CodeAway, Where: k.where(), What: what, Err: a.err,
		Mend: "look at the endpoint; it is called again by itself, and nothing is lost meanwhile"}
}

func (k *client) rejected(status int, p part) *pipeline.Refusal {
	place := p.places()[0]
	return &pipeline.Refusal{Code: CodeRejected, Where: fmt.Sprintf("sink %s, %s/%d at offset %d", k.config.Name, place.Topic, place.Partition, place.Offset),
		What: fmt.Sprintf("the endpoint answers %d %s to this event alone", status, http.StatusText(status)),
		Mend: "make the endpoint take it; or let the sink go on without such events: on_reject: dead_letter   # below sinks." + k.config.Name}
}

// unanswered judges an attempt without an answer. The address is not in what it
// gives: it may hold a secret.
func (k *client) unanswered(err error) (answer, error) {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	var r *pipeline.Refusal
	if errors.As(err, &r) {
		r.Where = k.where()
		return answer{}, r
	}
	return answer{verdict: later, err: err}, nil
}
