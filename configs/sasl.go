package configs

import (
	"errors"
	"reflect"
	"slices"
)

// saslKeys are the keys of each mechanism: those that it needs, and those that
// it can have.
func saslKeys() map[string]struct{ need, may []string } {
	password := struct{ need, may []string }{need: []string{"username", "password"}}
	return map[string]struct{ need, may []string }{
		"plain": password, "scram-sha-256": password, "scram-sha-512": password,
		"oauthbearer": {may: []string{"token", "token_url", "client_id", "client_secret", "scope", "token_ca", "extensions"}},
		"aws_msk_iam": {need: []string{"access_key", "secret_key"}, may: []string{"session_token", "region"}},
	}
}

// checkSASL finds keys that a mechanism lacks or does not use, and secrets that
// would go over the network in plaintext (X02).
func (d *decoder) checkSASL(c *Config, k *Kafka) {
	s := k.SASL
	keys, ok := saslKeys()[s.Mechanism]
	if !ok {
		return // reported where it was read
	}
	for _, key := range keys.need {
		d.needSASL(s, key)
	}
	for _, key := range orderOf(reflect.TypeFor[SASL]()) {
		if key != "mechanism" && d.wrote("kafka", "sasl", key) && !slices.Contains(slices.Concat(keys.need, keys.may), key) {
			d.add(d.at("kafka", "sasl", key), conflict, "kafka.sasl."+key+" is not for "+s.Mechanism, "remove it, or correct mechanism")
		}
	}
	if s.Mechanism == "oauthbearer" {
		d.checkToken(s)
	}
	if k.TLS.Mode == TLSDisable && !k.local() && k.Insecure && (s.Mechanism == "plain" || s.Mechanism == "oauthbearer") {
		c.warn("kafka.sasl: %s sends its secret in plaintext to another machine; write tls: {}", s.Mechanism)
	}
}

func (d *decoder) needSASL(s *SASL, key string) {
	if !d.wrote("kafka", "sasl", key) {
		d.add(d.at("kafka", "sasl"), missingKey, "kafka.sasl has no "+key+", which "+s.Mechanism+" needs", "add "+key+" below sasl")
	}
}

// checkToken looks at where the bearer token comes from.
func (d *decoder) checkToken(s *SASL) {
	fixed, fetched := d.wrote("kafka", "sasl", "token"), d.wrote("kafka", "sasl", "token_url")
	switch {
	case fixed && fetched:
		d.add(d.at("kafka", "sasl", "token"), conflict, "kafka.sasl has both token and token_url", "remove one of them")
	case fetched:
		d.needSASL(s, "client_id")
		d.needSASL(s, "client_secret")
		d.checkTokenURL(s)
	default:
		d.needSASL(s, "token")
		for _, key := range []string{"client_id", "client_secret", "scope", "token_ca"} {
			if d.wrote("kafka", "sasl", key) {
				d.add(d.at("kafka", "sasl", key), conflict, "kafka.sasl."+key+" is for a token_url, and there is none", "remove it, or add token_url")
			}
		}
	}
}

// checkTokenURL refuses an endpoint to which the client's secret would go in
// plaintext (X02).
func (d *decoder) checkTokenURL(s *SASL) {
	text, err := s.TokenURL.Reveal()
	if err != nil || s.TokenURL.IsZero() {
		return // reported where it was read
	}
	at := d.at("kafka", "sasl", "token_url")
	u, err := webURL(text)
	var fault *urlFault
	switch {
	case errors.As(err, &fault):
		d.add(at, badURL, "kafka.sasl.token_url: "+fault.what, "write https://host/path; client_id and client_secret have keys of their own")
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		d.add(at, insecureTLS, "kafka.sasl.token_url: the client's secret would be sent in plaintext to another machine", "write https://")
	}
}
