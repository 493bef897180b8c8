// Package security tries the doors to the servers: right and wrong certificates,
// names, mechanisms, secrets and tokens, on Apache Kafka and on Postgres. A right
// one carries a table; a wrong one is one sentence with a code and a mend, exit
// code 3, and no secret anywhere in what is printed. Further: a cluster that
// refuses settings of topics, and two deployments of one name on one cluster.
package security
