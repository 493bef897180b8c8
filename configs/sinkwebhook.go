package configs

// Webhook is an HTTP endpoint that is told of every change.
type Webhook struct {
	// Its address, as https://host:port/path.
	URL Secret `yaml:"url" required:"true"`
}
