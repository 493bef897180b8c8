//go:build unix

package kafkaserver

// logConfig keeps what tells of a node's life and of what goes wrong.
const logConfig = `status=error
rootLogger.level=info
rootLogger.appenderRefs=out
rootLogger.appenderRef.out.ref=out
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d{HH:mm:ss.SSS} %p %m (%c{1})%n
logger.config.name=org.apache.kafka.common.config
logger.config.level=warn
logger.raft.name=org.apache.kafka.raft
logger.raft.level=warn
logger.metadata.name=org.apache.kafka.image
logger.metadata.level=warn
logger.server.name=kafka.server.KafkaConfig
logger.server.level=warn
logger.clients.name=org.apache.kafka.clients
logger.clients.level=error
`

// hasStarted is what a node says when it takes requests, portTaken when it cannot
// listen.
const hasStarted, portTaken = "Kafka Server started", "Address already in use"
