package configs

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// X01 TLS defaults: verify-full to every other machine, plaintext on this one,
// and anything weaker only by choice.
func TestModes(t *testing.T) {
	for _, tc := range []struct {
		url, mode   string
		local, weak bool
	}{
		{"postgres://u@db/shop", "verify-full", false, false},
		{"postgres://u@db/shop?sslmode=verify-full", "verify-full", false, false},
		{"postgres://u@db/shop?sslmode=verify-ca", "verify-ca", false, true},
		{"postgres://u@db/shop?sslmode=require", "require", false, true},
		{"postgres://u@db/shop?sslmode=prefer", "prefer", false, true},
		{"postgres://u@db/shop?sslmode=allow", "allow", false, true},
		{"postgres://u@db/shop?sslmode=disable", "disable", false, true},
		{"postgres://u@localhost/shop", "disable", true, false},
		{"postgres://u@LocalHost:5433/shop", "disable", true, false},
		{"postgres://u@127.0.0.1/shop", "disable", true, false},
		{"postgres://u@127.9.9.9/shop", "disable", true, false},
		{"postgres://u@[::1]:5432/shop", "disable", true, false},
		{"postgres://u@[::ffff:127.0.0.1]/shop", "disable", true, false},
		{"postgres://u@localhost/shop?sslmode=require", "require", true, false},
		{"postgres:///shop?host=/var/run/postgresql", "disable", true, false},
		{"postgres://u@%2Fvar%2Frun%2Fpostgresql/shop", "disable", true, false},
		{"postgres://u@localhost,db/shop", "verify-full", false, false},
		{"postgres://u@localhost,127.0.0.1:5433/shop", "disable", true, false},
		{"postgres://u@localhost.example.com/shop", "verify-full", false, false},
		{"postgres://u@127.0.0.1.example.com/shop", "verify-full", false, false},
		{"postgres://u@0.0.0.0/shop", "verify-full", false, false},
		{"postgres://u@10.0.0.1/shop", "verify-full", false, false},
		{"postgres://u@2130706433/shop", "verify-full", false, false},
		{"postgresql://u@db/shop", "verify-full", false, false},
	} {
		t.Run("X01 "+tc.url, func(t *testing.T) {
			u, err := ParsePostgresURL(tc.url)
			if err != nil {
				t.Fatal(err)
			}
			if u.Mode != tc.mode || u.Local() != tc.local || u.Weak() != tc.weak {
				t.Errorf("mode %s, local %v, weak %v", u.Mode, u.Local(), u.Weak())
			}
			for _, insecure := range []bool{false, true} {
				_, err := (&Postgres{URL: NewSecret(tc.url), Insecure: insecure}).Connect()
				if refused := err != nil; refused != (tc.weak && !insecure) {
					t.Errorf("insecure: %v gives %v", insecure, err)
				}
			}
		})
	}
}

func TestMySQLModes(t *testing.T) {
	for url, want := range map[string]string{
		"mysql://u@db/shop":             "verify-full",
		"mysql://u@db/shop?tls=disable": "disable",
		"mysql://u@localhost/shop":      "disable",
		"mariadb://u@db:3307/shop":      "verify-full",
		"mysql:///shop?host=/run/mysql": "disable",
	} {
		u, err := ParseMySQLURL(url)
		if err != nil || u.Mode != want {
			t.Errorf("%s: %v, %v", url, u, err)
		}
	}
	if _, err := ParseMySQLURL("mysql://u@db/shop?sslmode=disable"); err == nil {
		t.Error("sslmode is no parameter of MySQL")
	}
}

func TestURLParts(t *testing.T) {
	u, err := ParsePostgresURL("postgres://e%40x:p%2F%3A%40%23%25@h1,h2:6000,[fe80::1]:7000/my%20shop?sslrootcert=/ca.pem&target_session_attrs=primary")
	if err != nil {
		t.Fatal(err)
	}
	password, _ := u.Password.Reveal()
	if got := fmt.Sprint(u.User, " ", password, " ", u.Hosts, " ", u.Database); got != "e@x p/:@#% [h1:5432 h2:6000 [fe80::1]:7000] my shop" {
		t.Error(got)
	}
	reveals(t, u, "postgres://e%40x:p%2F%3A%40%23%25@h1:5432,h2:6000,[fe80::1]:7000/my%20shop?sslmode=verify-full&sslrootcert=%2Fca.pem&target_session_attrs=primary")
	for _, text := range []string{u.String(), fmt.Sprintf("%v %+v %#v", u, u, u), fmt.Sprintf("%+v", *u)} {
		if strings.Contains(text, password) || strings.Contains(text, "p%2F") {
			t.Errorf("X14 the password is printed: %s", text)
		}
	}
	socket, err := ParsePostgresURL("postgres:///shop?host=/tmp/pg")
	if err != nil {
		t.Fatal(err)
	}
	reveals(t, socket, "postgres:///shop?host=%2Ftmp%2Fpg&sslmode=disable")
}

// What Reveal gives parses again, to the same.
func TestURLRoundTrip(t *testing.T) {
	for _, raw := range []string{
		"postgres://u:p@db/shop", "postgres://db/shop", "postgres://u@db:1/shop?sslmode=require", "postgres:///shop?host=/tmp",
		"postgres://%2Ftmp/shop", "postgres://u:%20%25%3F@[::1]/a%2Fb",
	} {
		u, err := ParsePostgresURL(raw)
		if err != nil {
			t.Fatal(err)
		}
		first, _ := u.Reveal()
		again, err := ParsePostgresURL(first)
		if err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		if second, _ := again.Reveal(); second != first {
			t.Errorf("%s becomes %s, then %s", raw, first, second)
		}
	}
}

// X14: whatever is wrong with a URL, the error holds nothing of it.
func FuzzURL(f *testing.F) {
	for _, s := range []string{"postgres://u:p@db/shop", "postgres://u:p@db:x/y", "://", "postgres://%zz@h/d", "postgres://u@[::1/d", "postgres://u:p@h/d?x=%zz", "postgres://a@b@c/d"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		u, err := ParsePostgresURL(raw)
		var fault *urlFault
		if err != nil {
			if !errors.As(err, &fault) || u != nil && fault.mend == "" {
				t.Errorf("%q gives %v", raw, err)
			}
			return
		}
		first, err := u.Reveal()
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParsePostgresURL(first)
		if err != nil {
			t.Fatalf("%q becomes %q: %v", raw, first, err)
		}
		if second, _ := again.Reveal(); second != first || again.Weak() != u.Weak() || again.Local() != u.Local() {
			t.Errorf("%q becomes %q, then %q", raw, first, second)
		}
	})
}
