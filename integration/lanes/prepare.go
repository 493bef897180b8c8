package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/evertdb/evert/integration/debfile"
	"github.com/evertdb/evert/integration/promtool"
	"github.com/evertdb/evert/sources/mysql/mysqlserver"
	"github.com/evertdb/evert/sources/postgres/pgserver"
)

// prepare finds what the tests need and, when we are root on a Debian, installs
// what is missing. Everybody else is told the one command.
func prepare(ctx context.Context, r *report) (sum tally, err error) {
	for _, need := range []func(context.Context, *report) (tally, error){preparePostgres, prepareMariaDB, prepareKafka, prepareSysbench, preparePromtool, prepareSystemd, prepareClients, prepareKcat} {
		t, needErr := need(ctx, r)
		sum.add(t)
		err = errors.Join(err, needErr)
	}
	return sum, err
}

func preparePostgres(ctx context.Context, r *report) (tally, error) {
	b, err := pgserver.Find()
	if err != nil {
		if os.Geteuid() != 0 || !r.has("apt-get") {
			return tally{}, cannot{err.Error(), pgserver.InstallHint()}
		}
		if err := r.install(ctx, "postgresql"); err != nil {
			return tally{failed: 1}, err
		}
		if b, err = pgserver.Find(); err != nil {
			return tally{failed: 1}, err
		}
	}
	fmt.Fprintf(r.out, "ok  Postgres %s in %s\n", b.Version, b.Dir)
	return tally{passed: 1}, nil
}

// prepareMariaDB brings the programs alone: no service is started.
func prepareMariaDB(ctx context.Context, r *report) (tally, error) {
	b, err := mysqlserver.Find()
	if err != nil {
		if os.Geteuid() != 0 || !r.has("apt-get") {
			return tally{}, cannot{err.Error(), mysqlserver.InstallHint}
		}
		if err := r.install(ctx, mysqlserver.Packages()...); err != nil {
			return tally{failed: 1}, err
		}
		if b, err = mysqlserver.Find(); err != nil {
			return tally{failed: 1}, err
		}
	}
	plugins, err := mariaPlugins(ctx, r, b)
	if err != nil {
		return tally{}, cannot{err.Error(), "unpack " + mysqlserver.PluginPackage + " as the message says, or install it"}
	}
	fmt.Fprintf(r.out, "ok  MariaDB %s in %s, plugins in %s\n", b.Version, b.Daemon, plugins)
	return tally{passed: 1}, nil
}

// ed25519 is how newer accounts of MariaDB log in. Debian has it in the package that
// starts a service.
const ed25519 = "auth_ed25519.so"

func mariaPlugins(ctx context.Context, r *report, b mysqlserver.Binaries) (string, error) {
	dir, err := b.Plugins(ed25519)
	if err == nil {
		return dir, nil
	}
	if dir, err = mysqlserver.PluginCache(); err != nil {
		return "", err
	}
	err = r.unpack(ctx, func() error { return debfile.Unpack(ctx, mysqlserver.PluginPackage, dir) })
	if err != nil {
		return "", err
	}
	return b.Plugins(ed25519)
}

func preparePromtool(ctx context.Context, r *report) (tally, error) {
	path, err := promtool.Find()
	if err != nil {
		err = r.unpack(ctx, func() error { path, err = promtool.Fetch(ctx); return err })
	}
	if err != nil {
		return tally{}, cannot{err.Error(), promtool.Hint}
	}
	fmt.Fprintf(r.out, "ok  promtool in %s\n", path)
	return tally{passed: 1}, nil
}

// unpack brings a package beside the system. The lists of packages may be missing: root
// can bring them.
func (r *report) unpack(ctx context.Context, bring func() error) error {
	if !r.has("apt-get") || !r.has("dpkg-deb") {
		return errors.New("no apt-get, or no dpkg-deb")
	}
	err := bring()
	if err == nil || os.Geteuid() != 0 {
		return err
	}
	if _, err := r.step(ctx, "apt-get update", nil, "apt-get", "update"); err != nil {
		return err
	}
	return bring()
}

// prepareSystemd finds systemd's verifier of units; nothing of systemd has to run.
func prepareSystemd(ctx context.Context, r *report) (tally, error) {
	if r.has("systemd-analyze") {
		return tally{passed: 1}, nil
	}
	if os.Geteuid() != 0 || !r.has("apt-get") {
		return tally{}, cannot{"no systemd-analyze", "sudo apt-get install -y --no-install-recommends systemd"}
	}
	if err := r.install(ctx, "systemd"); err != nil {
		return tally{failed: 1}, err
	}
	return tally{passed: 1}, nil
}

// prepareSysbench finds the load that MySQL is known to be measured by. Tests make the same
// statements where it is not to be had.
func prepareSysbench(ctx context.Context, r *report) (tally, error) {
	if !r.has("sysbench") && os.Geteuid() == 0 && r.has("apt-get") {
		if err := r.install(ctx, "sysbench"); err != nil {
			fmt.Fprintln(r.out, "sysbench is not to be had:", err)
		}
	}
	return tally{passed: 1}, nil
}

// prepareKcat finds the client with which the Kafka listener is read.
func prepareKcat(ctx context.Context, r *report) (tally, error) {
	if r.has("kcat") {
		return tally{passed: 1}, nil
	}
	if os.Geteuid() != 0 || !r.has("apt-get") {
		return tally{}, cannot{"no kcat", "sudo apt-get install -y --no-install-recommends kcat"}
	}
	if err := r.install(ctx, "kcat"); err != nil {
		return tally{failed: 1}, err
	}
	return tally{passed: 1}, nil
}

// prepareClients finds what clients of registries need; the tests install these
// themselves, by pip and npm.
func prepareClients(ctx context.Context, r *report) (tally, error) {
	var missing []string
	if r.prepareCmd(ctx, nil, "python3", "-c", "import ensurepip, venv").Run() != nil {
		missing = append(missing, "python3-venv")
	}
	if !r.has("node") || !r.has("npm") {
		missing = append(missing, "nodejs", "npm")
	}
	if missing == nil {
		return tally{passed: 1}, nil
	}
	if os.Geteuid() != 0 || !r.has("apt-get") {
		return tally{}, cannot{"no Python with venv, or no Node", "sudo apt-get install -y --no-install-recommends " + strings.Join(missing, " ")}
	}
	if err := r.install(ctx, missing...); err != nil {
		return tally{failed: 1}, err
	}
	return tally{passed: 1}, nil
}

// install brings Debian packages, saying so first.
func (r *report) install(ctx context.Context, packages ...string) error {
	env := []string{"DEBIAN_FRONTEND=noninteractive"}
	fmt.Fprintf(r.out, "installing %v by apt-get, since we are root\n", packages)
	if _, err := r.step(ctx, "apt-get update", env, "apt-get", "update"); err != nil {
		return err
	}
	args := append([]string{"install", "-y", "--no-install-recommends"}, packages...)
	_, err := r.step(ctx, "apt-get install", env, "apt-get", args...)
	return err
}
