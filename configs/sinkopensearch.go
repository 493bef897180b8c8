package configs

import (
	"encoding/json"
	"strings"
	"time"
)

// OpenSearch is an index of an OpenSearch or Elasticsearch cluster.
type OpenSearch struct {
	// Its address, as https://host:port.
	URL Secret `yaml:"url" required:"true"`
	// The alias that readers use. The indexes behind it are called <index>-1, <index>-2 and so on, and the position lies in <index>-evert-position.
	Index string `yaml:"index" format:"index" required:"true"`
	// The user of basic authentication.
	Username string `yaml:"username" format:"text"`
	// The password of basic authentication.
	Password Secret `yaml:"password"`
	// An API key, encoded as the cluster gave it.
	APIKey Secret `yaml:"api_key"`
	// A bearer token.
	Token Secret `yaml:"token"`
	// Signs requests for Amazon OpenSearch Service.
	AWS *AWSKeys `yaml:"aws"`
	// TLS of an https address.
	TLS *TLS `yaml:"tls"`
	// Allows credentials over plain http, and a tls.mode weaker than verify-full, to a cluster that is not on this machine.
	Insecure bool `yaml:"insecure"`

	// How columns are indexed where the derived mapping does not do: JSON by column, as history: '{"type": "nested", "properties": {"id": {"type": "long"}}}'.
	Mapping map[string]string `yaml:"mapping" keys:"column"`
	// Settings of the indexes that are made, as number_of_shards: "3".
	Settings map[string]string `yaml:"settings" keys:"os-setting"`

	// Bulk requests at the same time; operations of one document are never in two.
	Requests int `yaml:"requests" default:"4" min:"1" max:"64"`
	// Bytes of one bulk request, before compression; less while the cluster is busy. A larger document goes alone.
	BulkBytes Size `yaml:"bulk_bytes" default:"4MiB" min:"16KiB" max:"64MiB"`
	// Operations of one bulk request, likewise.
	BulkRows int `yaml:"bulk_rows" default:"5000" min:"1" max:"100000"`
	// Compresses requests.
	Gzip bool `yaml:"gzip"`
	// Refreshes the index after each commit, so that what was committed is found at once. It costs the cluster much under load; without it a document is found within the index's refresh_interval.
	Refresh bool `yaml:"refresh"`
	// How long one request may take.
	Timeout time.Duration `yaml:"timeout" default:"1m" min:"100ms" max:"10m"`
	// How long a busy or unreachable cluster is asked again without progress before the sink fails, and begins again behind its last commit.
	RetryFor time.Duration `yaml:"retry_for" default:"1m" min:"1s" max:"1h"`
	// How long the cluster remembers the version of a deleted document, which keeps a delayed request from bringing it back. It has to be longer than timeout.
	GCDeletes time.Duration `yaml:"gc_deletes" default:"10m" min:"1m" max:"24h"`
	// What an index that was deleted, or put in another's place, leads to: a new one is filled, or the sink stops.
	OnMissing string `yaml:"on_missing" enum:"rebuild,stop" default:"rebuild"`
}

// AWSKeys are credentials of Amazon Web Services.
type AWSKeys struct {
	// The region that the cluster lies in, as eu-central-1.
	Region string `yaml:"region" format:"host" required:"true"`
	// es, or aoss for OpenSearch Serverless.
	Service string `yaml:"service" enum:"es,aoss" default:"es"`
	// The id of the access key.
	AccessKey Secret `yaml:"access_key" required:"true"`
	// The secret of the access key.
	SecretKey Secret `yaml:"secret_key" required:"true"`
	// The token of temporary credentials; a file of it is read again whenever the sink connects.
	SessionToken Secret `yaml:"session_token"`
}

// forbiddenIndexSettings are those that promises rest on, and why they cannot be
// changed.
func forbiddenIndexSettings() map[string]string {
	return map[string]string{
		"translog.durability":  "remove it; what was acknowledged has to outlive a crash of the cluster",
		"gc_deletes":           "remove it; opensearch.gc_deletes says it",
		"hidden":               "remove it; readers use the alias",
		"default_pipeline":     "remove it; a document has to be what the row is. Change the row by transforms of the sink",
		"final_pipeline":       "remove it; a document has to be what the row is. Change the row by transforms of the sink",
		"soft_deletes.enabled": "remove it; the cluster needs them",
	}
}

func (d *decoder) checkOpenSearch(c *Config, name string, o *OpenSearch) {
	path := []string{"sinks", name, "opensearch"}
	at := func(key ...string) place { return d.at(append(path[:3:3], key...)...) }
	sent, ways := o.Password, 0
	for _, s := range []Secret{o.APIKey, o.Token} {
		if !s.IsZero() {
			sent = s
			ways++
		}
	}
	if o.Username != "" || !o.Password.IsZero() {
		ways++
	}
	if o.AWS != nil {
		ways++
	}
	if ways > 1 {
		d.add(at(), conflict, strings.Join(path, ".")+" has more than one way of authentication", "keep one of username with password, api_key, token and aws")
	}
	d.checkWeb(c, o.URL, sent, o.TLS, o.Insecure, path...)
	for _, column := range sortedKeys(o.Mapping) {
		var object map[string]json.RawMessage
		if json.Unmarshal([]byte(o.Mapping[column]), &object) != nil {
			d.add(at("mapping", column), badValue, strings.Join(path, ".")+".mapping has a value that is not a JSON object", `write it in quotes, as '{"type": "keyword"}'`)
		}
	}
	forbidden := forbiddenIndexSettings()
	for _, key := range sortedKeys(o.Settings) {
		if mend := forbidden[strings.TrimPrefix(key, "index.")]; mend != "" {
			d.add(at("settings", key), forbiddenSetting, "the index setting "+key+" belongs to Evert", mend)
		}
	}
	if o.GCDeletes <= o.Timeout {
		d.add(at("gc_deletes"), conflict, strings.Join(path, ".")+": gc_deletes is not longer than timeout, so that a late request could bring back a deleted document", "raise gc_deletes, or lower timeout")
	}
}
