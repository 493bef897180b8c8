package configs

import "time"

// Serve says where Evert listens. An address is host:port; port 0 takes a free
// one; none turns a listener off.
type Serve struct {
	// The HTTP interface: views, topics, status, health, metrics. An address that is not loopback needs token and tls, or behind_proxy.
	HTTP string `yaml:"http" format:"listen" default:"127.0.0.1:8380"`
	// Health and metrics alone, without data; may be opened to probes. Off by default, since http serves them too.
	Health string `yaml:"health" format:"listen" default:"none"`
	// The embedded registry. Off by default.
	Registry string `yaml:"registry" format:"listen" default:"none"`
	// The embedded log, read-only, for every Kafka consumer that assigns its partitions itself. Off by default.
	Kafka string `yaml:"kafka" format:"listen" default:"none"`
	// The address that Kafka clients are told to connect to, if they reach serve.kafka through another one than they dial, as behind a proxy or a container's port. By default the one that each has dialled; over TLS the name in its handshake.
	KafkaAdvertised string `yaml:"kafka_advertised" format:"broker"`
	// The bearer token that a request must carry; for Kafka clients it is the password of SASL PLAIN, with any name.
	Token Secret `yaml:"token"`
	// The server's certificate.
	TLS *ServeTLS `yaml:"tls"`
	// A proxy in front of Evert does TLS and authentication, and nothing else can reach the addresses.
	BehindProxy bool `yaml:"behind_proxy"`
	// How long a cursor of a paged read lives after its last use.
	CursorTTL time.Duration `yaml:"cursor_ttl" default:"1m" min:"1s" max:"1h"`
}

// ServeTLS is the server's side of TLS. The files are read again when they change.
type ServeTLS struct {
	// File of the PEM certificate chain.
	Cert string `yaml:"cert" format:"path" required:"true"`
	// File of the PEM private key.
	Key string `yaml:"key" format:"path" required:"true"`
}

// Off is the address of a listener that is turned off.
const Off = "none"
