package opensearch

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// SigV4 signs requests as AWS wants it, for Amazon OpenSearch Service.
type SigV4 struct {
	AccessKey, SecretKey string
	SessionToken         string // of temporary credentials
	Region               string
	Service              string           // es; aoss for OpenSearch Serverless
	Now                  func() time.Time // nil: time.Now
}

// Authorize implements Auth.
func (a SigV4) Authorize(r *http.Request, body []byte) error {
	now := time.Now
	if a.Now != nil {
		now = a.Now
	}
	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:])
	if a.Service == serverless {
		r.Header.Set("X-Amz-Content-Sha256", hash)
	}
	key := aws.Credentials{AccessKeyID: a.AccessKey, SecretAccessKey: a.SecretKey, SessionToken: a.SessionToken}
	return v4.NewSigner().SignHTTP(r.Context(), key, r, hash, a.Service, a.Region, now().UTC())
}

// serverless is the service that wants the hash of the body in a header, too.
const serverless = "aoss"
