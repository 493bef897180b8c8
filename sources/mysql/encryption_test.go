package mysql

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/evertdb/evert/pipeline"
)

// keyPlugin is what MariaDB reads keys from a file with; not every installation has it.
const keyPlugin = "file_key_management"

// M14 M15 A server that encrypts its log decrypts it for its readers: the rows come, by GTID
// and by file and position, and a start between two transactions goes on. On disk they are not
// to be read.
func TestEncryptedLog(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat(filepath.Join(newDB(t).get("SELECT @@plugin_dir"), keyPlugin+".so")); err != nil {
		return // this server cannot do it
	}
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil { // the server has an account of its own
		t.Fatal(err)
	}
	keys := filepath.Join(dir, "keys")
	if err := os.WriteFile(keys, []byte("1;"+strings.Repeat("a7", 32)+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	d := startOwn(t, map[string]string{
		"plugin-load-add": keyPlugin, "file-key-management-filename": keys, "encrypt-binlog": "ON", "log-bin-compress": "ON",
	})
	if d.get("SELECT @@encrypt_binlog") != "1" {
		t.Fatal("the log is not encrypted")
	}
	for _, byPosition := range []bool{false, true} {
		d := d.under(t)
		d.byPosition = byPosition
		d.do("DELETE FROM a")
		r := d.open(d.config("a"), pipeline.Resume{}).copied()
		d.do("INSERT INTO a VALUES (10, 'notforeyes')", "FLUSH BINARY LOGS", "BEGIN", "INSERT INTO a VALUES (11, 'notforeyes')", "UPDATE a SET v = 'notforeyes2'", "COMMIT")
		r.caught().equal("a")
		d.do("INSERT INTO a VALUES (12, 'notforeyes')")
		r.reopen(d.config("a")).caught().equal("a")
	}
	logs, err := filepath.Glob(filepath.Join(d.server.Dir(), "data", "bin.0*"))
	if err != nil || len(logs) == 0 {
		t.Fatalf("no logs: %v", err)
	}
	for _, name := range logs {
		if b, err := os.ReadFile(name); err != nil || bytes.Contains(b, []byte("notforeyes")) {
			t.Errorf("%s is readable on disk (%v): nothing was tried", name, err)
		}
	}
}
