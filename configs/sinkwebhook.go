package configs

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Webhook is an HTTP endpoint that is sent every change.
type Webhook struct {
	// Its address, as https://host:port/path.
	URL Secret `yaml:"url" required:"true"`
	// What a body is: a JSON array of events, or a line for each.
	Format string `yaml:"format" enum:"json,ndjson" default:"json"`
	// Signs each request as Standard Webhooks does, with HMAC-SHA256. One that begins with whsec_ is base64.
	Secret Secret `yaml:"secret"`
	// The secret before that one, which signs too while receivers are told of the new one.
	PreviousSecret Secret `yaml:"previous_secret"`
	// Headers of each request, such as Authorization: "Bearer ${file:/run/secrets/hook}".
	Headers map[string]Secret `yaml:"headers" keys:"header"`
	// Events of one request.
	MaxRows int `yaml:"max_rows" default:"100" min:"1" max:"10000"`
	// Bytes of one body; a larger event goes alone.
	MaxBytes Size `yaml:"max_bytes" default:"1MiB" min:"1KiB" max:"64MiB"`
	// Requests at once, each with keys of its own. With 1 the events come in the order of the log, else in that of each key.
	InFlight int `yaml:"in_flight" default:"1" min:"1" max:"64"`
	// How long one attempt may take.
	Timeout time.Duration `yaml:"timeout" default:"30s" min:"100ms" max:"10m"`
	// How long a request is tried before the sink fails, and begins again behind its last commit.
	RetryFor time.Duration `yaml:"retry_for" default:"2m" min:"1s" max:"1h"`
	// The longest Retry-After that is waited for.
	RetryAfterMax time.Duration `yaml:"retry_after_max" default:"1h" min:"1s" max:"24h"`
	// Allows link-local addresses, where clouds keep credentials.
	LinkLocal bool `yaml:"link_local"`
	// TLS of an https address.
	TLS *TLS `yaml:"tls"`
	// Allows credentials over plain http, and a tls.mode weaker than verify-full, to an endpoint that is not on this machine.
	Insecure bool `yaml:"insecure"`
}

// Secrets gives the secrets that sign, the newest first.
func (w *Webhook) Secrets() (all []string, err error) {
	for _, s := range []Secret{w.Secret, w.PreviousSecret} {
		text, err := s.Reveal()
		if err != nil {
			return nil, err
		}
		if text != "" {
			all = append(all, text)
		}
	}
	return all, nil
}

// RevealHeaders gives the headers with their secrets.
func (w *Webhook) RevealHeaders() (map[string]string, error) {
	all := map[string]string{}
	for name, s := range w.Headers {
		text, err := s.Reveal()
		if err != nil {
			return nil, err
		}
		all[name] = text
	}
	return all, nil
}

// ownHeaders are those that Evert sets, by their canonical names.
func ownHeaders() []string {
	return []string{"Connection", "Content-Length", "Content-Type", "Host", "Idempotency-Key", "Transfer-Encoding", "User-Agent"}
}

func (d *decoder) checkWebhook(c *Config, name string, w *Webhook) {
	var sent Secret // some credential that goes over the wire
	for _, header := range slices.Sorted(maps.Keys(w.Headers)) {
		sent = w.Headers[header]
		own := http.CanonicalHeaderKey(header)
		if slices.Contains(ownHeaders(), own) || strings.HasPrefix(own, "Webhook-") {
			d.add(d.at("sinks", name, "webhook", "headers", header), conflict, "the header "+own+" is one that Evert sets itself", "remove it")
		}
	}
	if d.wrote("sinks", name, "webhook", "previous_secret") && !d.wrote("sinks", name, "webhook", "secret") {
		d.add(d.at("sinks", name, "webhook", "previous_secret"), conflict, "sinks."+name+".webhook has a previous_secret and no secret", "write secret, or remove previous_secret")
	}
	d.checkWeb(c, w.URL, sent, w.TLS, w.Insecure, "sinks", name, "webhook")
}
