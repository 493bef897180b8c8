package opensearch

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"net/http"
	"time"

	"github.com/evertdb/evert/pipeline/deliver"
)

// Options say where a target delivers, and within which bounds.
type Options struct {
	URL   string      // http(s)://host:port, with a path where the cluster lies below one
	TLS   *tls.Config // of https; nil: the defaults
	Auth  Auth        // nil: none
	Index string      // the alias that readers use
	Owner string      // deployment/sink: another's index is refused
	Topic string      // that is delivered

	Mapping  map[string]json.RawMessage // of columns whose derived one does not do, by their names
	Settings map[string]string          // of indexes that are made, as number_of_shards

	Requests  int           // bulk requests at the same time; one key's never are
	BulkBytes int           // of a bulk request, before compression
	BulkRows  int           // operations of a bulk request
	Gzip      bool          // requests are compressed
	Refresh   bool          // each commit is followed by a refresh: what was committed is found at once
	Timeout   time.Duration // of one request
	Patience  time.Duration // how long a busy or unreachable cluster is asked again without any progress
	GCDeletes time.Duration // how long the cluster remembers the version of a deleted document
	OnMissing string        // Rebuild or StopMissing: what an index that is gone or was replaced leads to

	Rejects deliver.Rejects // takes rows that the cluster does not take; called from several goroutines

	Waiting func(why error, pause time.Duration) // told of a pause of a second or more before the next attempt; called from several goroutines; may be nil

	Sleep func(ctx context.Context, d time.Duration) error // waits between attempts; nil: by the clock
}

// What an index that is gone leads to.
const (
	Rebuild     = "rebuild"
	StopMissing = "stop"
)

// DefaultOptions are the bounds of a target, without a place to deliver to.
func DefaultOptions() Options {
	return Options{
		Requests:  4,
		BulkBytes: 4 << 20,
		BulkRows:  5000,
		Timeout:   time.Minute,
		Patience:  time.Minute,
		GCDeletes: 10 * time.Minute,
		OnMissing: Rebuild,
		Rejects:   deliver.Stop{},
	}
}

// Auth proves to the cluster who asks.
type Auth interface {
	// Authorize adds what proves it to a request that is complete, with this body.
	Authorize(r *http.Request, body []byte) error
}

// Basic is authentication by name and password.
type Basic struct{ Username, Password string }

// Authorize implements Auth.
func (a Basic) Authorize(r *http.Request, _ []byte) error {
	r.SetBasicAuth(a.Username, a.Password)
	return nil
}

// APIKey is an encoded key of Elasticsearch's, or of OpenSearch's from 3.x.
type APIKey string

// Authorize implements Auth.
func (a APIKey) Authorize(r *http.Request, _ []byte) error {
	r.Header.Set("Authorization", "ApiKey "+string(a))
	return nil
}

// Bearer is a token, as of OpenID Connect.
type Bearer string

// Authorize implements Auth.
func (a Bearer) Authorize(r *http.Request, _ []byte) error {
	r.Header.Set("Authorization", "Bearer "+string(a))
	return nil
}
