package show

import (
	"errors"
	"strings"
	"testing"

	"github.com/evertdb/evert/sources/mysql/mysqlserver"
)

// Whoever has no MariaDB is told the one command that installs it.
func TestWithoutMariaDB(t *testing.T) {
	err := noMariaDB(errors.New("no mariadbd on this machine"))
	if !strings.Contains(err.Error(), "no mariadbd on this machine") || !strings.Contains(err.Error(), mysqlserver.InstallHint) || strings.Count(mysqlserver.InstallHint, "\n") > 0 {
		t.Errorf("%v", err)
	}
}
