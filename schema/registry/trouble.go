package registry

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"

	"github.com/twmb/franz-go/pkg/sr"
)

// A Trouble keeps a client from an answer of its registry at all: of the network,
// of TLS, or of who asks. It says what is wrong and the one thing that mends it,
// and holds no secret.
type Trouble struct {
	Kind  TroubleKind
	Where string // host:port
	What  string
	Mend  string
	Err   error // what happened underneath; may be nil
}

// TroubleKind tells troubles apart.
type TroubleKind uint8

// The kinds. Unreachable passes by itself, the others need a person.
const (
	Unreachable TroubleKind = iota
	Untrusted               // one side does not take the other's TLS
	Unknown                 // the registry does not know who asks
)

func (t *Trouble) Error() string {
	text := "the registry at " + t.Where + ": " + t.What
	if t.Err != nil {
		text += ": " + t.Err.Error()
	}
	return text
}

func (t *Trouble) Unwrap() error { return t.Err }

// troubled says why a request got no answer that counts; nil if it got one, or
// if what failed was on this side.
func troubled(host string, err error) *Trouble {
	t := &Trouble{Where: host}
	if answer, ok := errors.AsType[*sr.ResponseError](err); ok {
		return t.answered(answer)
	}
	request, ok := errors.AsType[*url.Error](err)
	if _, ours := errors.AsType[*settingsError](err); ours || !ok || errors.Is(err, context.Canceled) || errors.Is(err, errRedirect) {
		return nil
	}
	t.Err = request.Err
	switch {
	case t.distrusts(err), t.refusedByAlert(err):
	case isTimeout(err):
		t.What, t.Mend = "it does not answer in time", "see that the registry works, and that the network lets requests to registry.url through"
	case isNoName(err):
		t.What, t.Mend = "there is no such host", "correct registry.url"
	case isHangUp(err):
		t.What, t.Mend = "it ends connections without an answer, as one does that is ending, and one that wants TLS", "see that the registry works; or, if it speaks TLS there: registry: {url: \"https://…\"}"
	default:
		t.What, t.Mend = "it cannot be reached", "start the registry, or correct registry.url"
	}
	return t
}

// A settingsError is a failure to make the client's own side of TLS.
type settingsError struct{ error }

func (e *settingsError) Unwrap() error { return e.error }

// answered is the trouble that an answer tells of, if any.
func (t *Trouble) answered(answer *sr.ResponseError) *Trouble {
	status := answer.StatusCode
	switch {
	case status == http.StatusUnauthorized:
		t.Kind, t.What = Unknown, "it does not know who asks (401)"
		t.Mend = "registry: {username: USER, password: SECRET}   # or token: SECRET, as the registry wants it"
	case status == http.StatusBadRequest && strings.Contains(string(answer.Raw), "HTTP request to an HTTPS server"):
		t.Kind, t.What, t.Mend = Untrusted, "it speaks TLS on this port, and the address says http", "registry: {url: \"https://…\"}"
	case status == http.StatusTooManyRequests, status >= 502 && status <= 504:
		t.What, t.Mend = fmt.Sprintf("it answers %d: it is starting, ending or too busy", status), "wait, or see why the registry does not take requests"
	default:
		return nil
	}
	return t
}

// distrusts reports whether we do not take the server's TLS.
func (t *Trouble) distrusts(err error) bool {
	var (
		authority x509.UnknownAuthorityError
		host      x509.HostnameError
		invalid   x509.CertificateInvalidError
		record    tls.RecordHeaderError
	)
	t.Kind = Untrusted
	switch {
	case errors.As(err, &authority):
		t.What, t.Mend = "its certificate is not signed by an authority that is trusted", "registry: {tls: {ca: FILE}}   # the PEM certificate of the registry's authority"
	case errors.As(err, &host):
		t.What, t.Mend = "its certificate is for other names", "registry: {tls: {server_name: NAME}}   # a name of the certificate; or a url with such a name"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		t.What, t.Mend = "its certificate has expired or does not count yet", "renew the registry's certificate; see that this machine's clock is right"
	case errors.As(err, &invalid):
		t.What, t.Mend = "its certificate cannot be used", "give the registry a certificate for servers"
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		t.What, t.Mend = "it does not speak TLS on this port, and the address says https", "registry: {url: \"http://…\"}   # or the port on which it speaks TLS"
	case strings.Contains(err.Error(), `malformed HTTP response "\x15\x03`): // a TLS alert; net/http has no type for it
		t.What, t.Mend = "it speaks TLS on this port, and the address says http", "registry: {url: \"https://…\"}"
	case strings.Contains(err.Error(), "protocol version"): // crypto/tls has no type for it
		t.What, t.Mend = "it speaks only TLS older than 1.2", "have the registry speak TLS 1.2 or newer"
	default:
		t.Kind = Unreachable
		return false
	}
	return true
}

// refusedByAlert reports whether the server said in TLS that it does not go on:
// nearly always because of the certificate that we showed, or did not.
func (t *Trouble) refusedByAlert(err error) bool {
	alert, ok := errors.AsType[*net.OpError](err)
	if !ok || alert.Op != "remote error" {
		return false
	}
	t.Kind, t.What, t.Err = Unknown, "it does not accept this client's TLS", alert
	t.Mend = "registry: {tls: {cert: FILE, key: FILE}}   # a certificate that is valid and signed by an authority that the registry trusts"
	return true
}

func isTimeout(err error) bool {
	n, ok := errors.AsType[net.Error](err)
	return errors.Is(err, context.DeadlineExceeded) || ok && n.Timeout()
}

func isNoName(err error) bool {
	d, ok := errors.AsType[*net.DNSError](err)
	return ok && d.IsNotFound
}

// isHangUp reports whether the other side ended the connection. Which error that
// becomes depends on when it is noticed.
func isHangUp(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) ||
		strings.Contains(err.Error(), "server closed idle connection") // net/http has no type for it
}
