package configs

import "time"

// Kafka is the cluster that holds the log.
type Kafka struct {
	// Brokers to begin with, as host:port.
	Brokers []string `yaml:"brokers" format:"broker" required:"true"`
	// TLS to the brokers. Verified TLS is the default, except when every broker is on a loopback address.
	TLS *TLS `yaml:"tls"`
	// Allows a tls.mode weaker than verify-full to brokers that are not on this machine.
	Insecure bool `yaml:"insecure"`
	// How Evert authenticates itself to the brokers.
	SASL *SASL `yaml:"sasl"`
	// How topics are made and checked.
	Topics Topics `yaml:"topics"`
	// How long the cluster lets a transaction of ours stay open; a source transaction that would come near half of it goes in parts.
	TransactionTimeout time.Duration `yaml:"transaction_timeout" default:"60s" min:"5s" max:"15m"`
	// After this long without a sign of life another member takes over what we own.
	SessionTimeout time.Duration `yaml:"session_timeout" default:"10s" min:"1s" max:"30m"`
}

// TLSMode is how strict TLS is.
type TLSMode string

// The modes of TLS, from the strictest on.
const (
	TLSVerifyFull TLSMode = "verify-full" // certificate and host name are verified
	TLSVerifyCA   TLSMode = "verify-ca"   // the certificate is verified, the host name is not
	TLSInsecure   TLSMode = "insecure"    // encrypted, nothing is verified
	TLSDisable    TLSMode = "disable"     // plaintext
)

// TLS is the client's side of a TLS connection. TLS 1.2 is the least version.
type TLS struct {
	// How strict the verification is. Anything but verify-full needs insecure: true beside the tls section.
	Mode TLSMode `yaml:"mode" enum:"verify-full,verify-ca,insecure,disable" default:"verify-full"`
	// File of PEM certificates to trust instead of the system's.
	CA string `yaml:"ca" format:"path"`
	// File of the client's PEM certificate.
	Cert string `yaml:"cert" format:"path"`
	// File of the client's PEM private key.
	Key string `yaml:"key" format:"path"`
	// The name that the server's certificate must carry, if it is not the host's.
	ServerName string `yaml:"server_name" format:"host"`
}

// SASL is how Evert authenticates itself to brokers. Secrets are read anew at
// each authentication.
type SASL struct {
	// The mechanism. plain and oauthbearer send what they prove, and go over TLS.
	Mechanism string `yaml:"mechanism" enum:"plain,scram-sha-256,scram-sha-512,oauthbearer,aws_msk_iam" required:"true"`
	// The user of plain and scram.
	Username string `yaml:"username" format:"text"`
	// The password of plain and scram.
	Password Secret `yaml:"password"`
	// The bearer token of oauthbearer, such as "${file:/run/token}" that another process renews; or give token_url.
	Token Secret `yaml:"token"`
	// The endpoint from which oauthbearer gets its tokens by the client-credentials flow, and renews them.
	TokenURL Secret `yaml:"token_url"`
	// The client's id at that endpoint.
	ClientID string `yaml:"client_id" format:"text"`
	// The client's secret at that endpoint.
	ClientSecret Secret `yaml:"client_secret"`
	// The scope to ask that endpoint for; its own default if absent.
	Scope string `yaml:"scope" format:"text"`
	// File of PEM certificates to trust at that endpoint instead of the system's.
	TokenCA string `yaml:"token_ca" format:"path"`
	// What goes with the token, such as logicalCluster and identityPoolId of Confluent Cloud.
	Extensions map[string]string `yaml:"extensions" keys:"setting"`
	// The access key of aws_msk_iam, such as "${AWS_ACCESS_KEY_ID}".
	AccessKey Secret `yaml:"access_key"`
	// The secret key of aws_msk_iam.
	SecretKey Secret `yaml:"secret_key"`
	// The session token of aws_msk_iam, for keys that do not last.
	SessionToken Secret `yaml:"session_token"`
	// The region of aws_msk_iam, where the brokers' names do not end in it.
	Region string `yaml:"region" format:"text"`
}

// Topics says how topics are made and checked.
type Topics struct {
	// create: make and check topics; verify: check them, and print what is missing; never: neither.
	Manage string `yaml:"manage" enum:"create,verify,never" default:"create"`
	// Copies of each partition.
	ReplicationFactor int `yaml:"replication_factor" default:"3" min:"1" max:"15"`
	// Partitions of a new table topic. The number of an existing topic cannot change.
	Partitions int `yaml:"partitions" default:"1" min:"1" max:"10000"`
	// Topic settings by Kafka's names, over those that Evert sets itself. max.compaction.lag.ms, 7 days if not set, bounds how long a row that was deleted or changed stays in a topic.
	Config map[string]string `yaml:"config" keys:"setting"`
}

// Registry is a schema registry that speaks Confluent's protocol.
type Registry struct {
	// Its address, as http://host:port or https://host:port.
	URL Secret `yaml:"url" required:"true"`
	// The user of basic authentication.
	Username string `yaml:"username" format:"text"`
	// The password of basic authentication.
	Password Secret `yaml:"password"`
	// The bearer token, instead of user and password.
	Token Secret `yaml:"token"`
	// Whether Evert registers the schemas of its tables. If false they have to be there, as evert schemas export writes them, and a table whose schema is not waits for it.
	AutoRegister bool `yaml:"auto_register" default:"true"`
	// TLS of an https address.
	TLS *TLS `yaml:"tls"`
	// Allows credentials over plain http, and a tls.mode weaker than verify-full, to a registry that is not on this machine.
	Insecure bool `yaml:"insecure"`
}
