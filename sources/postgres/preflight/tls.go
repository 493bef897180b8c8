package preflight

import (
	"crypto/x509"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/evertdb/evert/pipeline"
)

// explainTLS says why a server is not trusted (X01); nil if err is something
// else. Nothing was sent to it but the wish to speak TLS.
func explainTLS(conf *pgconn.Config, where string, err error) error {
	r := &pipeline.Refusal{Code: CodeTLS, Where: where, Err: err}
	var (
		authority x509.UnknownAuthorityError
		host      x509.HostnameError
		invalid   x509.CertificateInvalidError
	)
	switch {
	case errors.As(err, &authority):
		r.What = "its certificate is not signed by an authority that is trusted"
		r.Mend = "url: postgres://…?sslmode=verify-full&sslrootcert=FILE   # the PEM certificate of the server's authority"
	case errors.As(err, &host):
		r.What = "its certificate is for other names than " + conf.Host
		r.Mend = "write a host of the certificate into the url; or give the server a certificate for " + conf.Host
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		r.What = "its certificate has expired or does not count yet"
		r.Mend = "renew the server's certificate; see that this machine's clock is right"
	case errors.As(err, &invalid):
		r.What, r.Mend = "its certificate cannot be used", "give the server a certificate for servers"
	case strings.Contains(err.Error(), "refused TLS connection"): // pgconn has no type for it
		r.What = "it does not speak TLS, or somebody between us keeps it from doing so"
		r.Mend = "set ssl = on on the server, with ssl_cert_file and ssl_key_file; or connect to it without what lies between"
	default:
		return nil
	}
	return r
}
