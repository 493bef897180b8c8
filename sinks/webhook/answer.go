package webhook

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/evertdb/evert/pipeline"
)

// verdict is what an answer means for a batch.
type verdict uint8

const (
	taken   verdict = iota
	later           // try again
	rejects         // for what is in it
)

// answer is what became of one attempt.
type answer struct {
	verdict verdict
	status  int           // 0: there was no answer
	wait    time.Duration // as Retry-After asks
	err     error         // why there was no answer
}

// judge says what an answer means. An error is final: calling on would do no
// good, whatever the rows.
func (k *client) judge(r *http.Response) (answer, error) {
	a := answer{status: r.StatusCode}
	switch code := r.StatusCode; {
	case code >= 200 && code < 300:
		a.verdict = taken
	case code == http.StatusRequestTimeout, code == http.StatusTooEarly, code == http.StatusTooManyRequests, code >= 500:
		a.verdict, a.wait = later, retryAfter(r.Header.Get("Retry-After"), time.Now())
	case code < 200, code < 400:
		return a, k.redirected(fmt.Sprintf("the endpoint answers %d %s", code, http.StatusText(code)))
	case code == http.StatusUnauthorized, code == http.StatusForbidden, code == http.StatusNotFound,
		code == http.StatusMethodNotAllowed, code == http.StatusProxyAuthRequired, code == http.StatusGone:
		return a, k.refused(code)
	default:
		a.verdict = rejects
	}
	return a, nil
}

// retryAfter reads seconds, or a date.
func retryAfter(text string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}

func (k *client) refused(code int) error {
	return &pipeline.Refusal{Code: CodeRefused, Where: k.where(), What: fmt.Sprintf("the endpoint answers %d %s, whatever it is sent", code, http.StatusText(code)),
		Mend: "correct url, secret or headers below sinks." + k.config.Name + ".webhook, or let the endpoint take POST from here"}
}

func (k *client) redirected(what string) error {
	r := redirect(what)
	r.Where = k.where()
	return r
}
