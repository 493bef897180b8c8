package starter

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/spf13/cobra"

	"github.com/evertdb/evert/cmd/evert/cli"
	"github.com/evertdb/evert/cmd/evert/databases"
	"github.com/evertdb/evert/cmd/evert/exit"
	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/sources/mysql"
)

// verb is init, in one call of the program.
type verb struct{ *cli.App }

// Verb is init.
func Verb(app *cli.App) *cobra.Command {
	a := verb{app}
	out := ""
	c := &cobra.Command{
		Use:   "init URL",
		Short: "Write a starter file for a database",
		Long: `Read the tables, keys and sizes of a database of Postgres, MySQL or MariaDB, and write a
commented evert.yaml that captures them. Nothing in the database is changed. The file is readable for its owner alone, since
the URL may hold a password. When the output is redirected into a file, it goes there too.`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return a.init(args[0], out) },
	}
	c.Flags().StringVar(&out, "out", "", "file to write, or - for the output (default ./evert.yaml)")
	return c
}

func (a verb) init(raw, out string) error {
	look, server, parse := describePostgres, "Postgres", configs.ParsePostgresURL
	if isMySQL(raw) {
		look, server, parse = describeMySQL, "MySQL", configs.ParseMySQLURL
	}
	url, err := parse(raw)
	if err != nil {
		return exit.Usage(fmt.Errorf("URL: %w; such as postgres://user:password@host:5432/database or mysql://user:password@host:3306/database", err))
	}
	ctx, cancel := context.WithTimeout(a.Ctx, time.Minute)
	defer cancel()
	d, err := look(ctx, url)
	if err != nil {
		return exit.Environment(a.explainRefusal(ctx, server, raw, err))
	}
	text := File(d, Options{URL: raw, Insecure: url.Weak() && !url.Local()})
	if _, err := configs.Parse("evert.yaml", []byte(text), a.Env); err != nil {
		return err
	}
	path, err := a.writeStarter(out, text)
	if err != nil {
		return err
	}
	a.Say("database %s (%s %s), tables: %d", d.Name, d.Server, d.Version, len(d.Tables))
	a.adviseStart(ctx, path, text)
	return nil
}

// isMySQL reports whether a URL is one of MySQL or MariaDB.
func isMySQL(raw string) bool {
	scheme, _, _ := strings.Cut(raw, "://")
	return scheme == "mysql" || scheme == "mariadb"
}

func describeMySQL(ctx context.Context, url *configs.DatabaseURL) (Database, error) {
	look := mysql.Config{
		Name: "init", URL: func(context.Context) (string, error) { return url.Reveal() },
		Match: func(database, _ string) bool { return database == url.Database },
	}
	o, err := mysql.Survey(ctx, look)
	d := Database{Server: "MySQL", Name: url.Database, Version: o.Version, ByPosition: o.ByPosition}
	if o.MariaDB {
		d.Server = "MariaDB"
	}
	for _, t := range o.Tables {
		one := Table{Schema: t.Database, Name: t.Table, Rows: t.Rows, Bytes: t.Bytes}
		if t.Left != nil {
			one.Left = t.Left.What
		}
		d.Tables = append(d.Tables, one)
	}
	return d, err
}

func describePostgres(ctx context.Context, url *configs.DatabaseURL) (Database, error) {
	text, err := url.Reveal()
	if err != nil {
		return Database{}, err
	}
	c, err := pgx.Connect(ctx, text)
	if err != nil {
		return Database{}, err
	}
	defer c.Close(context.WithoutCancel(ctx))
	return Describe(ctx, c)
}

// explainRefusal asks the source's own check why the server refuses, because it
// knows the mend.
func (a verb) explainRefusal(ctx context.Context, server, raw string, err error) error {
	text := File(Database{Server: server, Name: "init", Tables: []Table{{Schema: "public", Name: "t"}}}, Options{URL: raw, Insecure: true})
	c, parseErr := configs.Parse("evert.yaml", []byte(text), a.Env)
	if parseErr != nil {
		return err
	}
	for name := range c.Sources {
		if r := pipeline.Failing(a.findings(ctx, c, name)); r != nil {
			return r
		}
	}
	return err
}

func (a verb) findings(ctx context.Context, c *configs.Config, name string) []pipeline.Finding {
	_, database, err := databases.Open(databases.Place{Config: c, Name: name, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil
	}
	r, _ := database.Check(ctx, nil) // what cannot be asked is no finding
	return r.Found
}

// writeStarter writes the file where it belongs, and says where. A file that is
// there is not replaced, unless the output was redirected into it.
func (a verb) writeStarter(out, text string) (path string, err error) {
	redirected := isRegular(a.Out)
	if out == "-" || out == "" && redirected {
		if _, err := io.WriteString(a.Out, text); err != nil || out == "-" {
			return "", err
		}
	}
	if out == "" {
		out = a.File
	}
	f, err := os.OpenFile(out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	switch {
	case errors.Is(err, os.ErrExist) && redirected:
		return "", nil
	case errors.Is(err, os.ErrExist):
		return "", exit.Usage(&pipeline.Refusal{Code: cli.CodeFileExists, Where: out, What: "the file exists and is not replaced", Mend: "evert init URL --out " + beside(out)})
	case err != nil:
		return "", err
	}
	_, err = io.WriteString(f, text)
	return out, errors.Join(err, f.Close())
}

func beside(path string) string {
	ext := filepath.Ext(path)
	return path[:len(path)-len(ext)] + "-new" + ext
}

// isRegular reports whether w was redirected into a file.
func isRegular(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode().IsRegular()
}

// adviseStart says what to do next, and what has to be mended before.
func (a verb) adviseStart(ctx context.Context, path, text string) {
	c, err := configs.Parse("evert.yaml", []byte(text), a.Env)
	if err != nil {
		return
	}
	mends := 0
	for name := range c.Sources {
		for _, f := range a.findings(ctx, c, name) {
			if f.Severity == pipeline.Fails {
				mends++
				a.Say("before the first start: %s", f.Refusal.Error())
			}
		}
	}
	if path == "" {
		return
	}
	flag := ""
	if path != "./evert.yaml" && path != "evert.yaml" {
		flag = " -c " + path
	}
	a.Say("wrote %s", path)
	if mends == 0 {
		a.Say("next: evert check --connect%s   then   evert run%s", flag, flag)
	}
}
