// Package commands writes what people command of sinks and tables into the control topic,
// where the daemon that has them finds it, whichever that is and whenever it runs; and it waits for what becomes of them.
package commands
