// Bench measures Evert against the limit of the same machine in the same run,
// prints a table and writes results/bench.json.
//
//	go run ./integration/bench           one million rows; some minutes
//	go run ./integration/bench -short    a fifth of it
//
//	stream    WAL written beforehand, generator stopped:
//	          rows/s into topics ÷ rows/s of pg_recvlogical to /dev/null with the
//	          same slot settings                                     gate ≥ 0.9
//	shapes    the same for rows of numbers, of text and of JSON
//	snapshot  rows/s into topics ÷ rows/s of one COPY … TO STDOUT    gate ≥ 0.4
//	memory    the most the process ever held, also for one
//	          transaction of two million rows                        gate < 200 MB
//	latency   from the commit in the database to the commit in the
//	          topic, otherwise idle, median                          gate < 10 ms
//	mysql     binary log of a MariaDB written beforehand, narrow rows of 4 columns
//	          and wide ones of 20: rows/s into topics   narrow: gate ≥ 120,000
//	          also the ratio to mariadb-binlog, which reads the same files from
//	          the same server to /dev/null, and the most that the process held
//	                                                                 gate < 200 MB
//	kafka     stream and snapshot into one broker of Apache Kafka ÷ a bare
//	          transactional producer of the same bytes in the same
//	          transactions on the same broker, beside pg_recvlogical
//	          or COPY on the same machine                            gate ≥ 0.7
//	          Both are measured from the first record of a row to the last
//	          commit of one: Evert's by the times that records and commits have in
//	          the log, the producer's by its own clock, once it has connected, made
//	          its topics and warmed up. Start and end of Evert's process do not
//	          grow with the table; the ratio with them is printed beside.
//	          also the ratio to the producer alone, which reads from no
//	          database; the processor time of each process on either side; and
//	          the idle commit beside a bare transaction
//	views     each view of the order benchmark (package orders) alone, over 1.3
//	          and 5.2 million rows: rows/s into an empty view, changes/s that it
//	          catches up with, capture included, time from a commit to the answer
//	          that contains it at 5,000 changes/s, rows/s into a state that was
//	          lost, bytes of state, and REFRESH MATERIALIZED VIEW of the same query
//	          gates of the document view                  ≥ 200,000 rows/s,
//	          ≥ 12,000 and 7,000 changes/s, p99 < 500 ms
//	postgres-sink  rows in memory into a table, by its target alone ÷ one COPY of
//	          the same rows into the same table: a fill             gate ≥ 0.4
//	          transactions that insert, and that update       gates ≥ 0.2, 0.1
//	bleve     rows in memory into a full-text index, by its target alone, a commit
//	          each thousand ÷ the library alone, with batches of the same
//	          documents by its default mapping                      gate ≥ 0.8
//	opensearch  documents/s by a stage into a node of OpenSearch ÷ the same lines
//	          sent by a bare bulk loader                             gate ≥ 0.6
//	          each of the three also by the whole path: the binary, from a topic that
//	          is there into a system that holds nothing, start and end of the
//	          process included                     gates ≥ 0.25, 0.5 and 0.4
//	micro     go test -bench of the packages below, with allocations
//
// Both sides of a ratio run alternately, and the ratio is that of the medians. A
// missed gate is said so and ends in exit code 1.
package main
