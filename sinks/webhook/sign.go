package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
	"time"
)

// secretPrefix begins a secret that is the base64 of its bytes.
const secretPrefix = "whsec_"

var errSecret = errors.New("a secret that begins with whsec_ is not base64")

// secretBytes gives the bytes of a secret.
func secretBytes(secret string) ([]byte, error) {
	text, encoded := strings.CutPrefix(secret, secretPrefix)
	if !encoded {
		return []byte(secret), nil
	}
	key, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(key) == 0 {
		return nil, errSecret
	}
	return key, nil
}

// signatures signs a body as Standard Webhooks does, once by each secret.
func signatures(secrets []string, id string, at time.Time, body []byte) (string, error) {
	var all []string
	for _, secret := range secrets {
		key, err := secretBytes(secret)
		if err != nil {
			return "", err
		}
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(id + "." + strconv.FormatInt(at.Unix(), 10) + "."))
		mac.Write(body)
		all = append(all, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	return strings.Join(all, " "), nil
}
