package registry

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/sr"

	"github.com/evertdb/evert/schema/avro"
)

// Config says how to reach a registry.
type Config struct {
	URL      string        // http or https; a user and password in it are used, and kept out of errors
	User     string        // basic auth, before those of URL
	Password string        //
	Token    string        // bearer token, instead of user and password
	TLS      *tls.Config   // nil: the system's roots
	Timeout  time.Duration // of one request; 0 is 30 s
}

// A Client is a Registry behind Confluent's REST protocol. What it has learnt
// it never asks again: ids do not change their meaning, which is checked when
// one is first handed out (K25).
type Client struct {
	sr *sr.Client

	mu    sync.Mutex
	ids   map[registration]int
	texts map[int]string
}

type registration struct{ subject, schema string }

// maxResponse bounds what is read of an answer (X18).
const maxResponse = 64 << 20

// NewClient makes a client. It does not connect yet.
func NewClient(c Config) (*Client, error) {
	base, err := url.Parse(c.URL)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return nil, errors.New("registry: url is not of the form http(s)://host:port")
	}
	opts := []sr.ClientOpt{sr.HTTPClient(httpClient(c)), sr.UserAgent("evert")}
	user, password := c.User, c.Password
	if base.User != nil && user == "" {
		user = base.User.Username()
		password, _ = base.User.Password()
	}
	base.User = nil // it would stand in every error (X14)
	switch {
	case c.Token != "":
		opts = append(opts, sr.BearerToken(c.Token))
	case user != "":
		opts = append(opts, sr.BasicAuth(user, password))
	}
	client, err := sr.NewClient(append(opts, sr.URLs(base.String()))...)
	if err != nil {
		return nil, fmt.Errorf("registry %s: %w", base.Host, err)
	}
	return &Client{sr: client, ids: map[registration]int{}, texts: map[int]string{}}, nil
}

// httpClient follows no redirect to another host (X9), and reads no more than
// maxResponse.
func httpClient(c Config) *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = c.TLS
	timeout := c.Timeout
	if timeout == 0 {
		timeout = 30 * time.Second
	}
	return &http.Client{
		Transport: limited{transport},
		Timeout:   timeout,
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			if len(via) > 5 || req.URL.Host != via[0].URL.Host || req.URL.Scheme != via[0].URL.Scheme {
				return errors.New("the registry redirects to another host")
			}
			return nil
		},
	}
}

// limited cuts answers off.
type limited struct{ http.RoundTripper }

func (l limited) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := l.RoundTripper.RoundTrip(req)
	if err == nil {
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(resp.Body, maxResponse), resp.Body}
	}
	return resp, err
}

// Register implements Registry.
func (c *Client) Register(ctx context.Context, subject, schema string) (int, error) {
	reg := registration{subject, schema}
	if id, ok := c.known(reg); ok {
		return id, nil
	}
	id, err := c.sr.RegisterSchema(ctx, subject, sr.Schema{Schema: schema, Type: sr.TypeAvro}, -1, -1)
	if err != nil {
		return 0, fmt.Errorf("registry: register under %s: %w", subject, mapped(err))
	}
	if err := c.confirm(ctx, id, schema); err != nil {
		return 0, fmt.Errorf("registry: register under %s: %w", subject, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ids[reg] = id
	return id, nil
}

func (c *Client) known(reg registration) (int, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	id, ok := c.ids[reg]
	return id, ok
}

// confirm checks that the id means our schema: a registry that was wiped or
// restored may give an id out twice (K25).
func (c *Client) confirm(ctx context.Context, id int, schema string) error {
	text, err := c.Schema(ctx, id)
	if err != nil {
		return err
	}
	same, err := avro.Same(text, schema)
	if err != nil {
		return err
	}
	if !same {
		return fmt.Errorf("id %d is that of another schema; the registry was wiped or restored, so move to new topics or restore its ids", id)
	}
	return nil
}

// Schema implements Registry.
func (c *Client) Schema(ctx context.Context, id int) (string, error) {
	c.mu.Lock()
	text, ok := c.texts[id]
	c.mu.Unlock()
	if ok {
		return text, nil
	}
	s, err := c.sr.SchemaByID(ctx, id)
	if err != nil {
		return "", fmt.Errorf("registry: schema %d: %w", id, mapped(err))
	}
	if s.Type != sr.TypeAvro || len(s.References) > 0 {
		return "", fmt.Errorf("registry: schema %d is not an Avro schema that stands alone", id)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.texts[id] = s.Schema
	return s.Schema, nil
}

// Latest implements Registry. It always asks.
func (c *Client) Latest(ctx context.Context, subject string) (int, string, error) {
	s, err := c.sr.SchemaByVersion(ctx, subject, -1)
	if err != nil {
		return 0, "", fmt.Errorf("registry: latest of %s: %w", subject, mapped(err))
	}
	return s.ID, s.Schema.Schema, nil
}

// Delete implements Registry.
func (c *Client) Delete(ctx context.Context, subject string) error {
	_, err := c.sr.DeleteSubject(ctx, subject, sr.SoftDelete)
	if err = mapped(err); err != nil && !errors.Is(err, ErrNotFound) {
		return fmt.Errorf("registry: delete %s: %w", subject, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.DeleteFunc(c.ids, func(r registration, _ int) bool { return r.subject == subject })
	return nil
}

// mapped makes our sentinels of the protocol's codes, and keeps answers short.
func mapped(err error) error {
	var answer *sr.ResponseError
	if !errors.As(err, &answer) {
		return err
	}
	message := answer.Error()
	if len(message) > 300 {
		message = message[:300] + "…"
	}
	switch {
	case answer.StatusCode == http.StatusConflict:
		return fmt.Errorf("%w: %s", ErrIncompatible, message)
	case answer.StatusCode == http.StatusNotFound:
		return fmt.Errorf("%w: %s", ErrNotFound, message)
	}
	return fmt.Errorf("the registry answered %d: %s", answer.StatusCode, message)
}
