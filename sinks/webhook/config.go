package webhook

import (
	"crypto/tls"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/deliver"
	"github.com/evertdb/evert/pipeline/deliver/event"
)

// The codes of refusals.
const (
	// CodeAway: the endpoint gave no answer, or said that it is busy or broken.
	CodeAway pipeline.Code = "WEBHOOK_AWAY"
	// CodeRefused: the endpoint does not let us call it.
	CodeRefused pipeline.Code = "WEBHOOK_REFUSED"
	// CodeRejected: the endpoint does not take one event.
	CodeRejected pipeline.Code = "WEBHOOK_REJECTED"
	// CodeRedirect: the endpoint sends us elsewhere.
	CodeRedirect pipeline.Code = "WEBHOOK_REDIRECT"
	// CodeAddress: the address is one that is not called.
	CodeAddress pipeline.Code = "WEBHOOK_ADDRESS"
	// CodeSecret: a secret or header cannot be read.
	CodeSecret pipeline.Code = "WEBHOOK_SECRET"
)

// Format is how a body holds its events.
type Format string

// The formats of a body.
const (
	JSON   Format = "json"   // an array
	NDJSON Format = "ndjson" // a line each
)

// Config says what a target sends, and where. The functions are called for each
// attempt, so that what a file holds counts once it is renewed.
type Config struct {
	Name    string         // the sink's, for messages
	Origins []event.Origin // of the topics, by their numbers
	URL     func() (string, error)
	Secrets func() ([]string, error) // of signatures, the newest first; none: nothing is signed
	Headers func() (map[string]string, error)
	TLS     *tls.Config // nil: the system's

	Format    Format        // JSON if empty
	MaxRows   int           // events of one request; 100 if 0
	MaxBytes  int           // bytes of one body, unless one event alone is larger; 1 MiB if 0
	InFlight  int           // requests at once; 1 if 0
	Timeout   time.Duration // of one attempt; 30 s if 0
	RetryMax  time.Duration // the longest pause between two attempts; 30 s if 0
	RetryFor  time.Duration // how long one request is tried, Retry-After not counted; 2 min if 0
	WaitMax   time.Duration // the longest Retry-After that is waited for; 1 h if 0
	LinkLocal bool          // allow link-local addresses

	Keeper  deliver.Keeper
	Rejects deliver.Rejects
	// Waiting is told of each attempt that failed, and of the pause behind it; nil:
	// nobody.
	Waiting func(why error, pause time.Duration)
}

// withDefaults fills what is left out.
func (c Config) withDefaults() Config {
	if c.Format == "" {
		c.Format = JSON
	}
	orElse(&c.MaxRows, 100)
	orElse(&c.MaxBytes, 1<<20)
	orElse(&c.InFlight, 1)
	orElse(&c.Timeout, 30*time.Second)
	orElse(&c.RetryMax, 30*time.Second)
	orElse(&c.RetryFor, 2*time.Minute)
	orElse(&c.WaitMax, time.Hour)
	if c.Rejects == nil {
		c.Rejects = deliver.Stop{}
	}
	if c.Waiting == nil {
		c.Waiting = func(error, time.Duration) {}
	}
	return c
}

func orElse[T int | time.Duration](field *T, value T) {
	if *field <= 0 {
		*field = value
	}
}
