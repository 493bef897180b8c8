// Package kafkatest gives tests a real Apache Kafka.
//
// A test that needs a cluster of its own, to break it, calls Start. Tests that
// only need topics share one cluster per test binary:
//
//	var kafka kafkatest.Shared
//
//	func TestMain(m *testing.M) { os.Exit(kafka.Run(m)) }
//
//	func TestOrders(t *testing.T) {
//		brokers := kafka.Cluster(t).Brokers()
//		…
//	}
//
// The first test on a machine lets Maven fetch Kafka into the user's cache. Where
// there is no Java or no Maven, or Maven reaches no repository, a test is skipped
// and names the command that mends it; with CI=true it fails instead.
package kafkatest
