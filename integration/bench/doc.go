// Bench measures Evert against the limit of the same machine in the same run,
// prints a table and writes results/bench.json.
//
//	go run ./integration/bench           one million rows; some minutes
//	go run ./integration/bench -short    a fifth of it
//
//	stream    WAL written beforehand, generator stopped:
//	          rows/s into topics ÷ rows/s of pg_recvlogical to /dev/null with the
//	          same slot settings                                     gate ≥ 0.8
//	snapshot  rows/s into topics ÷ rows/s of one COPY … TO STDOUT    gate ≥ 0.4
//	memory    the most the process ever held, also for one
//	          transaction of two million rows                        gate < 200 MB
//	latency   from the commit in the database to the commit in the
//	          topic, otherwise idle, median                          gate < 10 ms
//	kafka     stream and snapshot into one broker of Apache Kafka ÷ a bare
//	          transactional producer of the same bytes in the same
//	          transactions on the same broker, beside pg_recvlogical
//	          or COPY on the same machine                            gate ≥ 0.7
//	          also the ratio to the producer alone, which reads from no
//	          database; and the idle commit beside a bare transaction
//	micro     go test -bench of the packages below, with allocations
//
// Both sides of a ratio run alternately, and the ratio is that of the medians. A
// missed gate is said so and ends in exit code 1.
package main
