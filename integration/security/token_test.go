//go:build unix

package security

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"testing"
	"time"
)

// What the broker wants of a token.
const (
	tokenIssuer = "https://issuer.example"
	audience    = "kafka"
)

// A signer signs tokens, and serves the key that they are checked with as a set of
// JSON web keys (RFC 7517).
type signer struct {
	name string // of the key
	key  *ecdsa.PrivateKey
}

func newSigner(t *testing.T, name string) *signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &signer{name, key}
}

// part is a part of a token, or a number of a key.
func part(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func jsonPart(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return part(text)
}

// ServeHTTP serves the keys.
func (s *signer) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	point, err := s.key.PublicKey.Bytes() // 4, x, y
	if err != nil {
		panic(err)
	}
	key := map[string]string{"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": s.name, "x": part(point[1:33]), "y": part(point[33:])}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"keys": []any{key}})
}

// token is a JSON web token (RFC 7519), signed by ES256 (RFC 7518 §3.4).
func (s *signer) token(claims map[string]any) string {
	signed := jsonPart(map[string]string{"alg": "ES256", "typ": "JWT", "kid": s.name}) + "." + jsonPart(claims)
	sum := sha256.Sum256([]byte(signed))
	r, v, err := ecdsa.Sign(rand.Reader, s.key, sum[:])
	if err != nil {
		panic(err)
	}
	var signature [64]byte
	r.FillBytes(signature[:32])
	v.FillBytes(signature[32:])
	return signed + "." + part(signature[:])
}

// unsecured is a token without a signature (RFC 7515, appendix A.5).
func unsecured(claims map[string]any) string {
	return jsonPart(map[string]string{"alg": "none"}) + "." + jsonPart(claims) + "."
}

// claims are those of a token that the broker takes, for so long; further names
// and values replace some.
func claims(life time.Duration, further ...string) map[string]any {
	now := time.Now()
	c := map[string]any{"sub": "evert", "iss": tokenIssuer, "aud": audience, "scope": "kafka", canary: 1, "iat": now.Unix() - 1, "exp": now.Add(life).Unix()}
	for i := 0; i+1 < len(further); i += 2 {
		c[further[i]] = further[i+1]
	}
	return c
}
