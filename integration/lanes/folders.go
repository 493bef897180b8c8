package main

import "slices"

// houseFolders are tests about the tree itself; no server is needed.
var houseFolders = []string{"integration/house", "integration/lanes"}

// raceFolders are the packages, themselves alone, in which goroutines share
// anything.
var raceFolders = []string{
	"pipeline", "pipeline/capture", "pipeline/deliver", "pipeline/log/embedded", "pipeline/log/embedded/listener", "pipeline/log/kafka", "schema/registry",
	"sinks/bleve", "sources/mysql", "sources/postgres", "sources/postgres/pgserver", "cmd/evert/api", "cmd/evert/monitor", "cmd/evert/service", "cmd/evert/supervise",
}

// notRaced are tests of clusters that are broken, each with brokers of its own: they
// take most of the time, all of it waiting for brokers, and run the same code of ours
// as the tests on the shared one.
const notRaced = "^(TestBrokerKilled|TestThreeBrokers|TestPowerCut|TestTransactionVersion1)$"

// notVersioned is the road into Kafka: what a Postgres sends is told apart before it.
const notVersioned = "^(TestBankOnKafka|TestNotesOnKafka)$"

// mysqlFolders are what runs against MySQL or MariaDB alone.
var mysqlFolders = []string{"sources/mysql", "sources/mysql/mysqlserver", "sources/mysql/binlogvalue", "integration/mysqlroad"}

// crashFolders have tests that repeat with EVERT_CRASH_RUNS, or more faults and
// longer ones with EVERT_FULL=1.
var crashFolders = []string{
	"integration/crash", "integration/ddl", "integration/deliver", "integration/views", "integration/faults", "integration/mysqlroad", "integration/registry", "integration/road",
	"pipeline/log/kafka", "sinks/bleve", "sinks/opensearch", "sinks/postgres", "sources/mysql", "sources/postgres",
}

// longest are the packages that take longest, in this order. go test begins packages
// as they are named, and one of these begun last is waited for alone.
var longest = []string{
	"cmd/evert", "integration/faults", "integration/crash", "integration/deliver", "pipeline/log/kafka", "pipeline/capture", "sources/postgres",
	"integration/alerts", "integration/views", "integration/mends", "sinks/opensearch", "sinks/postgres", "integration/rights", "integration/security",
	"sources/mysql", "integration/road", "pipeline/log/kafka/kafkaserver", "integration/oracle", "integration/mysqlroad", "integration/registry",
}

// rank is a package's place among the longest, or behind them.
func rank(path string) int {
	if i := slices.Index(longest, folder(path)); i >= 0 {
		return i
	}
	return len(longest)
}
