package configs

// OpenSearch is an index of an OpenSearch cluster.
type OpenSearch struct {
	// Its address, as https://host:port.
	URL Secret `yaml:"url" required:"true"`
	// The index, or the alias that is switched between versions of it.
	Index string `yaml:"index" format:"topic" required:"true"`
	// The user of basic authentication.
	Username string `yaml:"username" format:"text"`
	// The password of basic authentication.
	Password Secret `yaml:"password"`
	// TLS of an https address.
	TLS *TLS `yaml:"tls"`
	// Allows credentials over plain http, and a tls.mode weaker than verify-full, to a cluster that is not on this machine.
	Insecure bool `yaml:"insecure"`
}
