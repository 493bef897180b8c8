package main

import (
	"context"
	"slices"
	"strings"
)

// A longTest is run by make ci and make crash, and not by make test: it has brokers of its own, waits for
// timeouts, or compiles the program anew. Most of what it tells, a shorter one tells in
// make test.
type longTest struct{ folder, test, shorter string }

// longTests are all of them, each with what stays in make test.
func longTests() []longTest {
	const kills = "TestKillEmbedded kills on the embedded log, TestKillApacheKafka on Kafka and its broker with it"
	const oneBroker = "TestOneBroker and TestRealLog, on the broker that all of them share"
	const faults = "TestPostgresCrashes, TestBlackhole, TestKafkaRestarts, TestStandBy, TestRegistryAway, TestFullDisk"
	const targets = "the kill of each kind of target, TestPostgresKill, TestOpenSearchKill, TestBleveKill"
	return []longTest{
		{"cmd/evert", "TestClusterIsReported", "pipeline/log/kafka.TestCheckOfCluster, for what a cluster is told to lack"},
		{"integration/crash", "TestKillKafka", kills},
		{"integration/crash", "TestKillHugeApacheKafka", "TestKillHuge, on the embedded log"},
		{"integration/crash", "TestKillSwept", "TestKillApacheKafka, and TestBankOnKafka, which is swept too"},
		{"integration/crash", "TestPlantedPrograms", "pipeline.TestPlantedOrders plants the same orders without a program"},
		{"integration/deliver", "TestKafkaTwoDaemons", "integration/faults.TestThreeDaemonsOfOneFile for the owner of a source"},
		{"integration/deliver", "TestAppendOnlyKill", targets},
		{"integration/deliver", "TestPostgresSeveralKill", targets},
		{"integration/deliver", "TestRestoreMatrix", "pipeline/deliver.TestGone, for what a sink makes of a log that is older"},
		{"integration/faults", "TestForeignTransaction", "pipeline/log/kafka.TestReaderFaults finds and names such a transaction"},
		{"integration/faults", "TestFullBrokerDisk", faults},
		{"integration/faults", "TestHugeValue", "pipeline/capture.TestOversize and the script oversize of cmd/evert"},
		{"integration/faults", "TestLongOutage", faults},
		{"integration/faults", "TestNetworkZoo", faults},
		{"integration/faults", "TestThreeBrokers", faults},
		{"integration/mysqlroad", "TestKillKafka", "TestKillEmbedded"},
		{"integration/rights", "TestLeastRightsOnKafka", "TestLeastPrivilege, for Postgres; integration/mends has the commands run by a user without any right"},
		{"integration/road", "TestNotesOnKafka", "TestBankOnKafka, without large columns"},
		{"integration/supply", "TestTwoBuildsAreEqual", "nothing: it compiles the program twice without a cache"},
		{"integration/views", "TestBankApacheKafka", "TestBankEmbedded"},
		{"integration/views", "TestLargeTransactionApacheKafka", "TestLargeTransaction"},
		{"integration/views", "TestTwoDaemonsShareViews", "integration/faults.TestThreeDaemonsOfOneFile for the owner of a source"},
		{"pipeline/log/kafka", "TestBrokerKilled", oneBroker},
		{"pipeline/log/kafka", "TestPowerCut", oneBroker},
		{"pipeline/log/kafka", "TestThreeBrokers", oneBroker},
		{"pipeline/log/kafka", "TestTransactionVersion1", oneBroker},
		{"pipeline/log/kafka/kafkaserver", "TestThreeBrokers", "TestOneBroker"},
	}
}

// pattern is for -run and -skip, which take subtests behind a slash.
func (l longTest) pattern() string { return "^" + strings.ReplaceAll(l.test, "/", "$/^") + "$" }

// longPattern matches the long tests and no other.
func longPattern() string { return patternOf(longTests()) }

func patternOf(tests []longTest) string {
	var all []string
	for _, l := range tests {
		all = append(all, l.pattern())
	}
	return strings.Join(all, "|")
}

// long runs what make test leaves out.
func long(ctx context.Context, r *report) (tally, error) { return runLong(ctx, r, longTests()) }

// longBeyond are those outside of folders that another lane runs as a whole.
func longBeyond(folders ...string) []longTest {
	return slices.DeleteFunc(longTests(), func(l longTest) bool { return exactly(folders...)(l.folder) })
}

func runLong(ctx context.Context, r *report, tests []longTest) (tally, error) {
	var folders []string
	for _, l := range tests {
		folders = append(folders, l.folder)
	}
	return withProgram(exactly(folders...), "-run="+patternOf(tests))(ctx, r)
}
