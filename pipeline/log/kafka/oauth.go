package kafka

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/evertdb/evert/pipeline"
)

// A TokenEndpoint gives bearer tokens by OAuth's client-credentials flow (RFC
// 6749 §4.4). Its methods may be called from any goroutine. A token is kept
// until a fifth of its life is left, and fetched by whoever needs one then.
type TokenEndpoint struct {
	URL      string
	ClientID string
	Secret   func() (string, error) // read anew for each token (K28)
	Scope    string                 // empty: the endpoint's default
	Client   *http.Client
	Now      func() time.Time // time.Now if nil

	mu    sync.Mutex
	token string
	renew time.Time
}

// tokenTimeout bounds one request for a token, tokenBytes its answer.
const (
	tokenTimeout = 10 * time.Second
	tokenBytes   = 1 << 20
)

// Token gives a token that lives for some time yet.
func (e *TokenEndpoint) Token(ctx context.Context) (string, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.token != "" && e.now().Before(e.renew) {
		return e.token, nil
	}
	ctx, cancel := context.WithTimeout(ctx, tokenTimeout)
	defer cancel()
	token, life, err := e.fetch(ctx)
	if err != nil {
		return "", &pipeline.Refusal{Code: codeToken, Where: e.where(), What: "it gives no token", Err: err,
			Mend: "see that the endpoint answers, and correct token_url, client_id, client_secret and scope of kafka.sasl"}
	}
	e.token, e.renew = token, e.now().Add(life*4/5)
	return token, nil
}

func (e *TokenEndpoint) now() time.Time {
	if e.Now != nil {
		return e.Now()
	}
	return time.Now()
}

// where names the endpoint without what may be secret in its URL.
func (e *TokenEndpoint) where() string {
	u, err := url.Parse(e.URL)
	if err != nil {
		return "kafka.sasl.token_url"
	}
	return "token endpoint " + u.Scheme + "://" + u.Host
}

// fetch asks for a token. An error holds the endpoint's code for it, and nothing
// else of the answer, which may repeat what was sent.
func (e *TokenEndpoint) fetch(ctx context.Context) (token string, life time.Duration, err error) {
	secret, err := e.Secret()
	if err != nil {
		return "", 0, err
	}
	form := url.Values{"grant_type": {"client_credentials"}}
	if e.Scope != "" {
		form.Set("scope", e.Scope)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.URL, strings.NewReader(form.Encode()))
	if err != nil {
		return "", 0, errors.New("the URL cannot be used")
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	req.SetBasicAuth(url.QueryEscape(e.ClientID), url.QueryEscape(secret)) // RFC 6749 §2.3.1
	resp, err := e.Client.Do(req)
	if err != nil {
		return "", 0, withoutURL(err)
	}
	defer resp.Body.Close()
	return parseToken(resp)
}

// withoutURL is what happened, without the URL that net/http puts before it.
func withoutURL(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

// defaultLife is that of a token whose endpoint does not say: long enough for
// one connection, and not relied on for a second.
const defaultLife = time.Minute

func parseToken(resp *http.Response) (string, time.Duration, error) {
	var body struct {
		AccessToken string      `json:"access_token"`
		ExpiresIn   json.Number `json:"expires_in"`
		Error       string      `json:"error"`
	}
	err := json.NewDecoder(io.LimitReader(resp.Body, tokenBytes)).Decode(&body)
	switch {
	case resp.StatusCode != http.StatusOK:
		return "", 0, fmt.Errorf("HTTP %d %s", resp.StatusCode, oauthError(body.Error))
	case err != nil || body.AccessToken == "":
		return "", 0, errors.New("its answer holds no access_token")
	}
	seconds, err := body.ExpiresIn.Float64()
	if err != nil || seconds <= 0 {
		return body.AccessToken, defaultLife, nil
	}
	return body.AccessToken, time.Duration(seconds * float64(time.Second)), nil
}

// oauthError gives one of the codes of RFC 6749 §5.2, and nothing for any other
// text.
func oauthError(code string) string {
	switch code {
	case "invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope":
		return code
	}
	return ""
}

// ExpiredToken reports a JSON web token (RFC 7519) whose time is over. What is
// no such token is for the broker to judge.
func ExpiredToken(token string, now time.Time) (since time.Time, expired bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return time.Time{}, false
	}
	body, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return time.Time{}, false
	}
	var claims struct {
		Exp float64 `json:"exp"`
	}
	if json.Unmarshal(body, &claims) != nil || claims.Exp <= 0 {
		return time.Time{}, false
	}
	end := time.Unix(int64(claims.Exp), 0).UTC()
	return end, !now.Before(end)
}

// StaticToken gives the token of a secret, read anew each time, and refuses one
// that has expired: its owner has to renew it.
func StaticToken(secret func() (string, error)) func(context.Context) (string, error) {
	return func(context.Context) (string, error) {
		token, err := secret()
		if err != nil {
			return "", err
		}
		if end, expired := ExpiredToken(token, time.Now()); expired {
			return "", &pipeline.Refusal{Code: codeToken, Where: "kafka.sasl.token", What: "the token expired at " + end.Format(time.RFC3339),
				Mend: "token: \"${file:FILE}\"   # with a process that renews it; or token_url, client_id and client_secret"}
		}
		return token, nil
	}
}
