package registry

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/sr"

	"github.com/evertdb/evert/schema/avro"
)

// Config says how to reach a registry. Both functions are asked again for each
// request or connection, so that secrets can be replaced (K28).
type Config struct {
	URL         string                      // http or https
	Credentials func() (Credentials, error) // nil: none
	TLS         func() (*tls.Config, error) // nil: the system's roots
	Timeout     time.Duration               // of one try of a request; 0 is 15 s
	Events      Events
}

// Events are told what becomes of a client's requests, by any goroutine. Any of
// them may be nil.
type Events struct {
	// Asked: a request was answered with a status, or with 0 not at all, after
	// what was tried again.
	Asked func(status int, took time.Duration)

	// Certificate: a connection showed or was shown one, "client" or the server's
	// host:port, which ends then (K28).
	Certificate func(of string, end time.Time)
}

// A Client is a Registry behind Confluent's REST protocol. What it has learnt
// it never asks again: ids do not change their meaning, which is checked when
// one is first handed out (K25).
type Client struct {
	sr   *sr.Client
	host string

	mu    sync.Mutex
	ids   map[registration]int
	texts map[int]string
}

type registration struct{ subject, schema string }

// NewClient makes a client. It does not connect yet.
func NewClient(c Config) (*Client, error) {
	base, err := url.Parse(c.URL)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" || base.User != nil {
		return nil, errors.New("registry: url is not of the form http(s)://host:port")
	}
	if c.Timeout == 0 {
		c.Timeout = 15 * time.Second
	}
	client, err := sr.NewClient(sr.URLs(base.String()), sr.HTTPClient(httpClient(&c)), sr.UserAgent("evert"),
		sr.PreReq(func(req *http.Request) error { return authenticate(req, c.Credentials) }))
	if err != nil {
		return nil, fmt.Errorf("registry %s: %w", base.Host, err)
	}
	return &Client{sr: client, host: base.Host, ids: map[registration]int{}, texts: map[int]string{}}, nil
}

func authenticate(req *http.Request, credentials func() (Credentials, error)) error {
	if credentials == nil {
		return nil
	}
	c, err := credentials()
	if err != nil {
		return err
	}
	c.put(req)
	return nil
}

// Register implements Registry.
func (c *Client) Register(ctx context.Context, subject, schema string) (int, error) {
	id, err := c.identify(ctx, subject, schema, func() (int, error) {
		return c.sr.RegisterSchema(ctx, subject, avroSchema(schema), -1, -1)
	})
	if err != nil {
		return 0, fmt.Errorf("registry: register under %s: %w", subject, err)
	}
	return id, nil
}

// Lookup implements Registry.
func (c *Client) Lookup(ctx context.Context, subject, schema string) (int, error) {
	id, err := c.identify(ctx, subject, schema, func() (int, error) {
		found, err := c.sr.LookupSchema(ctx, subject, avroSchema(schema))
		return found.ID, err
	})
	if err != nil {
		return 0, fmt.Errorf("registry: look up under %s: %w", subject, err)
	}
	return id, nil
}

func avroSchema(text string) sr.Schema { return sr.Schema{Schema: text, Type: sr.TypeAvro} }

// identify asks for the id of a schema unless it is known, and checks it.
func (c *Client) identify(ctx context.Context, subject, schema string, ask func() (int, error)) (int, error) {
	reg := registration{subject, schema}
	if id, ok := c.known(reg); ok {
		return id, nil
	}
	id, err := ask()
	if err != nil {
		return 0, c.mapped(err)
	}
	if err := c.confirm(ctx, id, schema); err != nil {
		return 0, err
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

// Knows implements Memory.
func (c *Client) Knows(subject, schema string) bool {
	_, ok := c.known(registration{subject, schema})
	return ok
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
		return "", fmt.Errorf("registry: schema %d: %w", id, c.mapped(err))
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
		return 0, "", fmt.Errorf("registry: latest of %s: %w", subject, c.mapped(err))
	}
	return s.ID, s.Schema.Schema, nil
}

// Delete implements Registry.
func (c *Client) Delete(ctx context.Context, subject string) error {
	_, err := c.sr.DeleteSubject(ctx, subject, sr.SoftDelete)
	if err = c.mapped(err); err != nil && !errors.Is(err, ErrNotFound) {
		return fmt.Errorf("registry: delete %s: %w", subject, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.DeleteFunc(c.ids, func(r registration, _ int) bool { return r.subject == subject })
	return nil
}

// mapped makes our own errors of the protocol's, and keeps answers short.
func (c *Client) mapped(err error) error {
	if err == nil {
		return nil
	}
	if t := troubled(c.host, err); t != nil {
		return t
	}
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
	case Code(answer.ErrorCode) == CodeNotPermitted || answer.StatusCode == http.StatusForbidden:
		return fmt.Errorf("%w: %s", ErrRefused, message)
	}
	return fmt.Errorf("the registry answered %d: %s", answer.StatusCode, message)
}
