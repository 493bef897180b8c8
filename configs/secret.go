package configs

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
)

// Redacted is what stands wherever a secret would.
const Redacted = "[redacted]"

// A Secret is text that is never printed: a password, a token, a key, or a URL
// that may hold one. Files that it refers to are read again at each Reveal, so
// a rotated secret counts at the next connect. The zero Secret is none.
//
// It lies behind two pointers, since fmt calls no method on unexported fields of
// other structs, and follows one pointer when a verb does not fit.
type Secret struct{ held **held }

type held struct {
	pieces  []piece // text and files
	literal bool    // no reference: the secret stands in the file itself
}

// hold hides what a secret is made of.
func hold(pieces []piece, literal bool) Secret {
	h := &held{pieces, literal}
	return Secret{&h}
}

// NewSecret gives a secret of fixed text.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return hold([]piece{{text: text}}, true)
}

// IsZero reports whether there is no secret.
func (s Secret) IsZero() bool { return s.held == nil }

// Reveal gives the secret itself, for connecting. The error names a file and
// never holds what is in it.
func (s Secret) Reveal() (string, error) {
	if s.held == nil {
		return "", nil
	}
	return join((*s.held).pieces)
}

// isLiteral reports whether the secret stands in the file itself.
func (s Secret) isLiteral() bool { return s.held != nil && (*s.held).literal }

// String gives Redacted, or nothing for the zero Secret.
func (s Secret) String() string {
	if s.held == nil {
		return ""
	}
	return Redacted
}

// GoString gives Redacted.
func (s Secret) GoString() string { return "configs.Secret(" + s.String() + ")" }

// Format gives Redacted, whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// LogValue gives Redacted.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalJSON gives Redacted.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + s.String() + `"`), nil }

// MarshalText gives Redacted.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// maxSecretFile bounds a file that is named by ${file:}.
const maxSecretFile = 64 << 10

// readSecretFile gives a file's text without the line end behind it.
func readSecretFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("read ${file:%s}: %w", path, cause(err))
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxSecretFile+1))
	switch {
	case err != nil:
		return "", fmt.Errorf("read ${file:%s}: %w", path, cause(err))
	case len(b) > maxSecretFile:
		return "", fmt.Errorf("read ${file:%s}: the file is larger than %v", path, Size(maxSecretFile))
	}
	text := strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r")
	if text == "" {
		return "", fmt.Errorf("read ${file:%s}: the file is empty", path)
	}
	return text, nil
}

// cause strips operation and path from an error of package os.
func cause(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}
