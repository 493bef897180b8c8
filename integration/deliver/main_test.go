//go:build unix

package deliver

import (
	"os"
	"testing"

	"github.com/evertdb/evert/integration/harness"
)

var suite harness.Suite

func TestMain(m *testing.M) { os.Exit(suite.Main(m)) }
