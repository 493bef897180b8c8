//go:build unix

package opensearchserver

const logConfig = `status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{HH:mm:ss.SSS} %p %m (%c{1})%n
rootLogger.level = info
rootLogger.appenderRef.console.ref = console
logger.deprecation.name = deprecation
logger.deprecation.level = error
`

// hasStarted is what a node says when it takes requests, portTaken when it cannot
// listen.
const hasStarted, portTaken = "INFO started (Node)", "Address already in use"
