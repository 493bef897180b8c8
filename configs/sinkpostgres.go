package configs

// PostgresSink is a table that holds what a table topic or view holds.
type PostgresSink struct {
	// As for a source.
	URL Secret `yaml:"url" required:"true"`
	// The password, instead of one inside url; it needs no percent-encoding.
	Password Secret `yaml:"password"`
	// Allows an sslmode weaker than verify-full to a server that is not on this machine.
	Insecure bool `yaml:"insecure"`
	// The table, as schema.table.
	Table TablePattern `yaml:"table" required:"true"`
}
