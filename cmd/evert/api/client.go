package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"syscall"
	"time"

	"github.com/evertdb/evert/pipeline"
)

// ErrNoDaemon says that no daemon listens on the socket.
var ErrNoDaemon = errors.New("no daemon is running")

// A Client asks the daemon behind a control socket, or a URL.
type Client struct {
	http  *http.Client
	base  string // scheme and host
	token string
}

// DialURL makes a client of a daemon's serve.http; token may be empty. Nothing is
// asked yet.
func DialURL(server, token string) (*Client, error) {
	u, err := url.Parse(server)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, &pipeline.Refusal{Code: CodeBadRequest, What: "the server is no URL", Mend: "--server https://HOST:8380"}
	}
	return &Client{http: &http.Client{}, base: u.Scheme + "://" + u.Host, token: token}, nil
}

// Dial makes a client if a daemon listens on the socket, else it is ErrNoDaemon.
func Dial(ctx context.Context, socket string) (*Client, error) {
	path := shortest(socket)
	var dialer net.Dialer
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) { return dialer.DialContext(ctx, "unix", path) }
	try, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	conn, err := dial(try, "", "")
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ENOENT):
		return nil, ErrNoDaemon
	case err != nil:
		return nil, err
	}
	_ = conn.Close()
	return &Client{http: &http.Client{Transport: &http.Transport{DialContext: dial}}, base: "http://evert"}, nil
}

// Status asks how the deployment is.
func (c *Client) Status(ctx context.Context) (s Status, err error) {
	return s, c.call(ctx, http.MethodGet, "/v1/status", nil, &s)
}

// Reset sends a reset.
func (c *Client) Reset(ctx context.Context, r Reset) (p Plan, err error) {
	return p, c.call(ctx, http.MethodPost, "/v1/control", r, &p)
}

// Records emits a topic's records as JSON lines; see Daemon. A nil line says
// that the next one may take long.
func (c *Client) Records(ctx context.Context, name string, untilEnd bool, emit func(line []byte) error) error {
	path := "/v1/topics/" + url.PathEscape(name) + "/records"
	if untilEnd {
		path += "?until_end=true"
	}
	resp, err := c.do(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	lines := bufio.NewReaderSize(resp.Body, 64<<10)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			if err := emit(line); err != nil {
				return err
			}
			if lines.Buffered() == 0 {
				_ = emit(nil)
			}
		}
		switch {
		case err == io.EOF:
			return trailer(resp)
		case err != nil:
			return err
		}
	}
}

func trailer(resp *http.Response) error {
	text := resp.Trailer.Get(errorTrailer)
	if text == "" {
		return nil
	}
	var p Problem
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return errors.New(text)
	}
	return p.Refusal()
}

func (c *Client) call(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		var err error
		if body, err = jsonBody(in); err != nil {
			return err
		}
	}
	resp, err := c.do(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return json.NewDecoder(resp.Body).Decode(out)
}

func jsonBody(in any) (io.Reader, error) {
	b, err := json.Marshal(in)
	return bytes.NewReader(b), err
}

// do sends a request; an answer that is a problem is an error.
func (c *Client) do(ctx context.Context, method, path string, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, err
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode < 400 {
		return resp, nil
	}
	defer resp.Body.Close()
	var p Problem
	if err := json.NewDecoder(resp.Body).Decode(&p); err != nil || p.Code == "" {
		return nil, errors.New("the daemon answered " + resp.Status)
	}
	return nil, p.Refusal()
}
