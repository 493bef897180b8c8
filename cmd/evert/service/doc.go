// Package service tells the service manager that started the daemon how it is,
// over the socket that systemd names in NOTIFY_SOCKET (sd_notify(3)):
//
//	READY=1      everything is open and listens
//	STATUS=      one line for `systemctl status`
//	WATCHDOG=1   twice in WatchdogSec, as long as the daemon lives
//	STOPPING=1   it drains
//
// Without a manager nothing is said. Alive is what alive means for the one who
// asks: not that the process exists, but that its parts turn. When they do not,
// the pings stop, and the manager starts the daemon anew; nothing is lost by
// that (I10).
package service
