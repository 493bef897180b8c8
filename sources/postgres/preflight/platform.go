package preflight

import (
	"fmt"
	"strings"

	"github.com/evertdb/evert/pipeline"
)

// A Platform is who runs a server, as far as that changes what mends it: where
// somebody else does, there is no ALTER SYSTEM, no pg_hba.conf and no superuser.
// The zero Platform is a server of one's own.
type Platform string

// Platforms that are told by the roles that all their databases have, and Aurora
// by its function.
const (
	OwnMachine Platform = ""
	RDS        Platform = "Amazon RDS"
	Aurora     Platform = "Amazon Aurora"
	CloudSQL   Platform = "Google Cloud SQL"
	Azure      Platform = "Azure Database"
	Supabase   Platform = "Supabase"
	Neon       Platform = "Neon"
)

// platformSQL gives the roles by which platforms are told, and whether it is Aurora.
const platformSQL = `
(SELECT coalesce(string_agg(rolname, ' '), '') FROM pg_roles
 WHERE rolname IN ('rds_superuser', 'cloudsqlsuperuser', 'azure_pg_admin', 'supabase_admin', 'neon_superuser')),
EXISTS (SELECT FROM pg_proc WHERE proname = 'aurora_version')`

// platformOf reads what platformSQL answered.
func platformOf(roles string, isAurora bool) Platform {
	for _, p := range []struct {
		role string
		Platform
	}{{"rds_superuser", RDS}, {"cloudsqlsuperuser", CloudSQL}, {"azure_pg_admin", Azure}, {"supabase_admin", Supabase}, {"neon_superuser", Neon}} {
		if !strings.Contains(" "+roles+" ", " "+p.role+" ") {
			continue
		}
		if p.Platform == RDS && isAurora {
			return Aurora
		}
		return p.Platform
	}
	return OwnMachine
}

func (p Platform) isAmazon() bool { return p == RDS || p == Aurora }

// DetectPlatform asks a server who runs it, by pgx or by database/sql.
func DetectPlatform(scan func(sql string, into ...any) error) (Platform, error) {
	var roles string
	var isAurora bool
	err := scan("SELECT "+platformSQL, &roles, &isAurora)
	return platformOf(roles, isAurora), err
}

// Set is how a setting of the server is changed; restart says that the server reads
// it only at its start.
//
// Sources: the platforms' manuals on logical replication and on their parameters.
func (p Platform) Set(name, value string, restart bool) string {
	switch p {
	case RDS, Aurora: // max_slot_wal_keep_size is in megabytes there
		return p.parameterGroup(name, value, restart)
	case CloudSQL:
		if name == "wal_level" {
			name, value = "cloudsql.logical_decoding", "on"
		}
		return fmt.Sprintf("gcloud sql instances patch INSTANCE --database-flags=%s=%s   # name all flags that are set besides: those left out are reset%s", name, value, restarts(restart, "; it restarts the instance"))
	case Azure:
		return fmt.Sprintf("az postgres flexible-server parameter set --resource-group GROUP --server-name SERVER --name %s --value %s", name, value) +
			restarts(restart, "\naz postgres flexible-server restart --resource-group GROUP --name SERVER")
	case Supabase:
		return fmt.Sprintf("supabase postgres-config update --experimental --project-ref PROJECT --config %s=%s", name, value) + restarts(restart, "   # it restarts the database")
	case Neon:
		if name == "wal_level" {
			return "enable logical replication in the project's settings, in Neon's console; it restarts the project's computes and cannot be undone"
		}
		return "ask Neon's support to raise " + name + " to " + value + ": it cannot be set there"
	}
	if restart {
		return fmt.Sprintf("ALTER SYSTEM SET %s = '%s'; -- then restart the server", name, value)
	}
	return fmt.Sprintf("ALTER SYSTEM SET %s = '%s';\nSELECT pg_reload_conf();", name, value)
}

// parameterGroup is how Amazon changes a setting: of an instance, or of a cluster.
func (p Platform) parameterGroup(name, value string, restart bool) string {
	if name == "wal_level" {
		name, value = "rds.logical_replication", "1"
	}
	verb, group, apply := "modify-db-parameter-group", "--db-parameter-group-name", "immediate"
	if p == Aurora {
		verb, group = "modify-db-cluster-parameter-group", "--db-cluster-parameter-group-name"
	}
	if restart {
		apply = "pending-reboot"
	}
	return fmt.Sprintf("aws rds %s %s GROUP --parameters ParameterName=%s,ParameterValue=%s,ApplyMethod=%s", verb, group, name, value, apply) +
		restarts(restart, "\naws rds reboot-db-instance --db-instance-identifier INSTANCE")
}

func restarts(restart bool, text string) string {
	if restart {
		return text
	}
	return ""
}

// megabytes writes a size as the value of a setting: where parameters are plain
// numbers, in the unit that the setting has.
func (p Platform) megabytes(n int) string {
	if p == OwnMachine || p == Supabase {
		return fmt.Sprintf("%dGB", n>>10)
	}
	return fmt.Sprint(n)
}

// replicate is what lets a user replicate; quoted is its name in SQL.
func (p Platform) replicate(quoted string) string {
	if p.isAmazon() {
		return "GRANT rds_replication TO " + quoted + ";"
	}
	return "ALTER ROLE " + quoted + " REPLICATION;"
}

// letIn is what lets a user in by line, where the server refuses the address.
func (p Platform) letIn(line string) string {
	if p == OwnMachine {
		return "add to pg_hba.conf: " + line + "\nSELECT pg_reload_conf();"
	}
	return "allow this machine's address in the network settings of the database on " + string(p)
}

// Warnings are what a platform does to a slot that its owner should know.
func (p Platform) Warnings(slot string) []pipeline.Finding {
	if p != Neon {
		return nil
	}
	return []pipeline.Finding{pipeline.Found(pipeline.Warns, pipeline.Refusal{
		Code: CodePlatform, Where: "slot " + slot, What: "Neon removes a slot that nobody has read from for about 40 hours, and every slot when a branch is restored; then all tables are copied again",
		Mend: "let the daemon run, and watch that it does (the alert EvertComponentDown)",
	})}
}

// Directly is how to go round the pooler at a host.
func Directly(host string) string {
	switch {
	case strings.Contains(host, "-pooler."):
		return "url: the same with host " + strings.Replace(strings.SplitN(host, ":", 2)[0], "-pooler.", ".", 1) + ", which is the server and not its pooler"
	case strings.Contains(host, "pooler.supabase.com"):
		return "url: the direct connection, host db.PROJECT.supabase.co and port 5432, and not the pooler's"
	case strings.Contains(host, ".proxy-"):
		return "url: the endpoint of the instance or cluster, and not that of the proxy, which does not replicate"
	}
	return "url: host and port of the server, and not of a pooler"
}
