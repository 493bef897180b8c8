package listener

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The login is SASL PLAIN (RFC 4616), of which the password is the token and the
// name is whatever the client likes. A server without a token lets everybody in,
// also those who log in.

const plain = "PLAIN"

// saslHandshake agrees on the mechanism.
func (c *conn) saslHandshake(r *kmsg.SASLHandshakeRequest) (kmsg.Response, error) {
	answer := kmsg.NewPtrSASLHandshakeResponse()
	answer.SupportedMechanisms = []string{plain}
	c.handshaken = r.Mechanism == plain
	if !c.handshaken {
		answer.ErrorCode = kerr.UnsupportedSaslMechanism.Code
		c.refused(c.who(), "a login by another mechanism than PLAIN", "SASL PLAIN carries serve.token as its password")
	}
	return answer, nil
}

// saslAuthenticate looks at the password. A wrong one is answered, and ends the
// connection.
func (c *conn) saslAuthenticate(r *kmsg.SASLAuthenticateRequest) (kmsg.Response, error) {
	answer := kmsg.NewPtrSASLAuthenticateResponse()
	answer.SASLAuthBytes = []byte{}
	token, err := c.token()
	switch {
	case err != nil:
		return nil, err
	case !c.handshaken:
		return c.unwelcome(answer, kerr.IllegalSaslState, "a login without a handshake before it"), nil
	case token != "" && !carries(r.SASLAuthBytes, token):
		return c.unwelcome(answer, kerr.SaslAuthenticationFailed, "a login with another password than serve.token"), nil
	}
	c.authenticated = true
	return answer, nil
}

func (c *conn) unwelcome(answer *kmsg.SASLAuthenticateResponse, code *kerr.Error, why string) kmsg.Response {
	answer.ErrorCode = code.Code
	answer.ErrorMessage = kmsg.StringPtr(why)
	c.last = true
	c.refused(c.who(), why, "the password of SASL PLAIN is the token")
	return answer
}

// carries compares the password of a PLAIN message, [authzid] NUL name NUL
// password, with the token in constant time.
func carries(message []byte, token string) bool {
	parts := bytes.Split(message, []byte{0})
	if len(parts) != 3 {
		return false
	}
	got, want := sha256.Sum256(parts[2]), sha256.Sum256([]byte(token))
	return subtle.ConstantTimeCompare(got[:], want[:]) == 1
}
