//go:build unix

package security

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/evertdb/evert/integration/harness"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/sources/postgres/pgserver/pgtest"
)

var (
	suite harness.Suite
	pg    pgtest.Shared
)

func TestMain(m *testing.M) {
	code := pg.Run(m)
	suite.Close()
	os.Exit(max(code, closeBroker()))
}

// canary stands in every secret. It must not be printed.
const canary = "c4nary"

// An attempt is a run of evert with one file, and how it has to end.
type attempt struct {
	name string
	yaml string        // of the section that is tried
	code pipeline.Code // empty: the table arrives
	says string
}

// run runs evert until it has caught up, and judges what it prints.
func (a *attempt) run(t *testing.T, evert, file, text string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), file)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, errs, exit := harness.Run(t, evert, "run", "--until-caught-up", "-c", path)
	if all := out + errs; strings.Contains(all, canary) {
		t.Errorf("X14 a secret is printed:\n%s", all)
	}
	switch {
	case a.code == "" && (exit != 0 || !strings.Contains(errs, a.says)):
		t.Fatalf("exit code %d, want 0 and %q:\n%s", exit, a.says, errs)
	case a.code == "":
		return
	case exit != 3 || !strings.Contains(errs, "["+string(a.code)+"]") || !strings.Contains(errs, a.says) || !strings.Contains(errs, "\n  mend: "):
		t.Errorf("exit code %d, want 3 with [%s], %q and a mend:\n%s", exit, a.code, a.says, errs)
	}
}
