package show

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/evertdb/evert/cmd/evert/cli"
	"github.com/evertdb/evert/cmd/evert/datadir"
	"github.com/evertdb/evert/cmd/evert/demo"
	"github.com/evertdb/evert/cmd/evert/exit"
	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/sources/mysql/mysqlserver"
	"github.com/evertdb/evert/sources/postgres/pgserver"
)

// Where a demo lives: its directory, its server with the shop, its file, and
// the daemon over all of it.

// place makes the directory and the file, by which the next demo knows it.
func (s *show) place(context.Context) (err error) {
	if s.keep == "" {
		if s.dir, err = os.MkdirTemp("", "evert-demo-"); err != nil {
			return err
		}
		return s.writeFile()
	}
	if s.dir, err = filepath.Abs(s.keep); err == nil {
		err = os.MkdirAll(s.dir, 0o755)
	}
	if err != nil {
		return &pipeline.Refusal{Code: datadir.CodeAccess, Where: "directory " + s.keep, What: "it cannot be made", Err: err,
			Mend: "evert demo --keep DIR   # where this user may write"}
	}
	if err := s.ours(); err != nil {
		return err
	}
	return s.writeFile()
}

// ours refuses a directory that holds what no demo has left there: the demo would
// write its own file and topics over it.
func (s *show) ours() error {
	there, err := os.ReadDir(s.dir)
	if err != nil || len(there) == 0 {
		return err
	}
	if text, err := os.ReadFile(s.file("evert.yaml")); err == nil && strings.HasPrefix(string(text), demoName) {
		return nil
	}
	return &pipeline.Refusal{Code: cli.CodeFileExists, Where: "directory " + s.keep, What: "it is not empty, and holds nothing that a demo kept; it is left as it is",
		Mend: "evert demo --keep DIR   # one that is empty, or not there yet"}
}

// startServer starts a database server of the kind that was asked for.
func (s *show) startServer(ctx context.Context) error {
	if s.source == "mariadb" {
		return s.startMariaDB(ctx)
	}
	return s.startPostgres(ctx)
}

func (s *show) startPostgres(ctx context.Context) error {
	binaries, err := pgserver.Find()
	if errors.Is(err, pgserver.ErrNotFound) {
		binaries, err = pgserver.Fetch(ctx, s.confirm)
	}
	if err != nil {
		return exit.Environment(fmt.Errorf("the demo needs a Postgres: %w; install one with `%s`, or answer yes", err, pgserver.InstallHint()))
	}
	s.tell("starting Postgres %s", binaries.Version)
	options := pgserver.Options{}
	if s.keep != "" {
		options.Dir = filepath.Join(s.dir, "postgres")
	}
	server, err := pgserver.Start(ctx, binaries, options)
	if err != nil {
		return exit.Environment(fmt.Errorf("start Postgres: %w", err))
	}
	s.server, s.url = server, server.URL("shop")
	s.shop = demo.InPostgres(s.url)
	s.head = fmt.Sprintf("Postgres %s on port %d · embedded log · seed %d", binaries.Version, server.Port(), s.seed)
	return makePostgresDatabase(ctx, server.URL("postgres"))
}

// startMariaDB starts one that is installed here: none is fetched.
func (s *show) startMariaDB(ctx context.Context) error {
	binaries, err := mysqlserver.Find()
	if err != nil {
		return exit.Environment(noMariaDB(err))
	}
	s.tell("starting MariaDB %s", binaries.Version)
	server, err := mysqlserver.Start(ctx, binaries, mysqlserver.Options{Settings: map[string]string{"innodb-flush-log-at-trx-commit": "0"}})
	if err != nil {
		return exit.Environment(fmt.Errorf("start MariaDB: %w", err))
	}
	s.server, s.url = server, server.URL(demo.MariaDBName)
	s.shop = demo.InMariaDB(server)
	s.head = fmt.Sprintf("MariaDB %s on %s · embedded log · seed %d", binaries.Version, server.Address(), s.seed)
	_, err = server.Exec(ctx, "", "CREATE DATABASE "+demo.MariaDBName)
	return err
}

// codeNoServer: there is no server to show the demo on.
const codeNoServer pipeline.Code = "DEMO_NO_SERVER"

// noMariaDB says which one command installs what the demo needs.
func noMariaDB(err error) error {
	return &pipeline.Refusal{Code: codeNoServer, What: "the demo needs a MariaDB, and there is " + err.Error(), Mend: mysqlserver.InstallHint}
}

// confirm asks a question on the terminal.
func (s *show) confirm(question string) bool {
	if s.yes {
		return true
	}
	fmt.Fprint(s.Err, question+" [y/N] ")
	answer, _ := bufio.NewReader(s.In).ReadString('\n')
	answer = strings.ToLower(strings.TrimSpace(answer))
	return answer == "y" || answer == "yes"
}

func (s *show) openShop(ctx context.Context) (err error) {
	if s.filled, err = s.shop.Filled(ctx); err != nil || s.filled {
		return err
	}
	s.tell("filling the shop")
	return s.shop.Fill(ctx, demo.SizesFor(s.customers))
}

func makePostgresDatabase(ctx context.Context, url string) error {
	c, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer c.Close(context.WithoutCancel(ctx))
	var there bool
	if err := c.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = 'shop')").Scan(&there); err != nil || there {
		return err
	}
	_, err = c.Exec(ctx, "CREATE DATABASE shop")
	return err
}

// demoName is how the demo's file begins.
const demoName = "name: demo\n"

// demoFile is the demo's configuration. The password stands in a file of its own.
const demoFile = demoName + `data_dir: %s
logging: {level: info, format: text}

sources:
  shop:
    %s:
      url: "${file:%s}"
      tables: [%s.*]

serve: {http: "127.0.0.1:0", registry: "127.0.0.1:0", kafka: "127.0.0.1:0"}

`

func (s *show) file(name string) string { return filepath.Join(s.dir, name) }

func (s *show) writeFile() error {
	section, shop := "postgres", demo.InPostgres("")
	if s.source == "mariadb" {
		section, shop = "mysql", demo.InMariaDB(nil)
	}
	text := fmt.Sprintf(demoFile, s.file("data"), section, s.file("database-url"), shop.Schema) + shop.Views()
	return os.WriteFile(s.file("evert.yaml"), []byte(text), 0o644)
}

// writeURL writes where the server is now, which is elsewhere each time.
func (s *show) writeURL(context.Context) error {
	return os.WriteFile(s.file("database-url"), []byte(s.url+"\n"), 0o600)
}

func (s *show) startDaemon(ctx context.Context) error {
	config, err := configs.Load(s.file("evert.yaml"), s.Env)
	if err != nil {
		return exit.Invalid(err)
	}
	if s.log, err = os.OpenFile(s.file("evert.log"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600); err != nil {
		return err
	}
	s.daemon, err = s.start(context.WithoutCancel(ctx), config, slog.New(slog.NewTextHandler(s.log, nil)))
	return err
}

// cleanUp ends everything, in the reverse order, and removes what is not kept.
func (s *show) cleanUp() error {
	if s.daemon != nil {
		s.daemon.End()
	}
	var errs []error
	if s.log != nil {
		errs = append(errs, s.log.Close())
	}
	if s.server != nil {
		errs = append(errs, s.server.Close())
	}
	if s.keep == "" && s.dir != "" {
		errs = append(errs, os.RemoveAll(s.dir))
	}
	return errors.Join(errs...)
}
