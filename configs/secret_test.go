package configs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// canary stands for every secret; it must never be seen.
const canary = "hunter2"

// X14: no way of printing gives a secret away, not even from unexported fields.
func TestSecretIsNeverPrinted(t *testing.T) {
	s := NewSecret(canary)
	type inner struct {
		Shown  Secret
		hidden Secret
		ptr    *Secret
		list   []Secret
	}
	v := inner{s, s, &s, []Secret{s}}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%T", "%10s"} {
		fmt.Fprintf(&out, verb+" "+verb+" "+verb+"\n", s, v, &v)
	}
	for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(h).Info("x", "secret", s, "struct", v, "pointer", &s)
	}
	for _, x := range []any{s, v, map[string]Secret{"k": s}} {
		j, err := json.Marshal(x)
		if err != nil {
			t.Fatal(err)
		}
		y, err := yaml.Marshal(x)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(append(j, y...))
	}
	if text := out.String(); strings.Contains(text, canary) || strings.Contains(text, fmt.Sprintf("%x", canary)) {
		t.Errorf("X14 a secret was printed:\n%s", text)
	}
	if got, err := s.Reveal(); got != canary || err != nil {
		t.Errorf("Reveal gives %q, %v", got, err)
	}
	if (Secret{}).String() != "" || !NewSecret("").IsZero() || s.IsZero() {
		t.Error("the zero Secret is none")
	}
}

// X13 secrets in config: a file is read again at each Reveal, so that a rotated
// secret counts at the next connect; what is wrong with it is said without it.
func TestSecretFileIsReadAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pw")
	write(t, path, "hunter2/@: \r\n")
	c := mustParse(t, one("postgres://evert@db/shop", "password: ${file:"+path+"}"), nil)
	p := c.Sources["shop"].Postgres
	u, err := p.Connect()
	if err != nil {
		t.Fatal(err)
	}
	reveals(t, u, "postgres://evert:hunter2%2F%40%3A%20@db:5432/shop?connect_timeout=10&sslmode=verify-full")
	write(t, path, "hunter3")
	u, err = p.Connect()
	if err != nil {
		t.Fatal(err)
	}
	reveals(t, u, "postgres://evert:hunter3@db:5432/shop?connect_timeout=10&sslmode=verify-full")

	for name, text := range map[string]string{"empty": "\n", "large": strings.Repeat("hunter", 20_000)} {
		write(t, path, text)
		if _, err := p.Connect(); err == nil || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "hunter") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Connect(); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("a missing file gives %v", err)
	}
}

func reveals(t *testing.T, u *DatabaseURL, want string) {
	t.Helper()
	got, err := u.Reveal()
	if err != nil || got != want {
		t.Errorf("Reveal gives %q, %v, want %q", got, err, want)
	}
}

// X13 secrets in config: a URL from a variable or with a file inside is read as
// late as a password; the URL is checked again each time.
func TestURLWithLateParts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "host")
	write(t, path, "localhost")
	c := mustParse(t, one("\"${SHOP_URL:-postgres://evert:${PW}@${file:"+path+"}/shop}?sslmode=disable\""), map[string]string{"PW": canary})
	p := c.Sources["shop"].Postgres
	u, err := p.Connect()
	if err != nil {
		t.Fatal(err)
	}
	reveals(t, u, "postgres://evert:hunter2@localhost:5432/shop?connect_timeout=10&sslmode=disable")
	write(t, path, "db.example.com")
	if _, err := p.Connect(); err == nil || !strings.Contains(err.Error(), "sslmode=disable") {
		t.Errorf("X01 the host is another machine now, and Connect gives %v", err)
	}
}

// X13 secrets in config: a secret in a file that others can read is warned of.
func TestReadableSecret(t *testing.T) {
	for _, tc := range []struct {
		text string
		mode os.FileMode
		warn bool
	}{
		{one("postgres://u:hunter2@localhost/shop"), 0o644, true},
		{one("postgres://u:hunter2@localhost/shop"), 0o600, false},
		{one("postgres://u@localhost/shop", "password: hunter2"), 0o640, true},
		{one("postgres://u@localhost/shop", "password: ${PW}"), 0o644, false},
		{one("postgres://u@localhost/shop"), 0o644, false},
		{one("${URL}"), 0o644, false},
		{one("postgres://u@localhost/shop") + "serve: {token: hunter2}\n", 0o644, true},
	} {
		path := filepath.Join(t.TempDir(), "evert.yaml")
		write(t, path, tc.text)
		if err := os.Chmod(path, tc.mode); err != nil {
			t.Fatal(err)
		}
		c, err := Load(path, envOf(map[string]string{"PW": canary, "URL": "postgres://u:hunter2@localhost/shop"}))
		if err != nil {
			t.Fatal(err)
		}
		if got := len(c.Warnings()) == 1; got != tc.warn || strings.Contains(strings.Join(c.Warnings(), ""), canary) {
			t.Errorf("mode %o warns %q, want %v for\n%s", tc.mode, c.Warnings(), tc.warn, tc.text)
		}
	}
}

// X14: the effective configuration, and every way of printing a Config, hold no
// secret.
func TestConfigIsPrintedWithoutSecrets(t *testing.T) {
	c := mustParse(t, one("postgres://u:hunter2@db/shop")+
		"kafka:\n  brokers: [\"a:9092\"]\n  sasl: {mechanism: plain, username: e, password: hunter2}\n"+
		"registry: {url: \"https://registry\", username: e, password: \"${PW}\"}\nserve: {token: hunter2}\n", map[string]string{"PW": canary})
	y, err := c.YAML()
	if err != nil {
		t.Fatal(err)
	}
	j, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	text := string(y) + string(j) + fmt.Sprintf("%v %+v %#v %v", c, *c.Kafka.SASL, c.Sources["shop"].Postgres, c.Registry)
	if strings.Contains(text, canary) {
		t.Errorf("X14 a secret was printed:\n%s", text)
	}
	if n := strings.Count(string(y), Redacted); n != 5 {
		t.Errorf("%d secrets are redacted, want 5:\n%s", n, y)
	}
}
