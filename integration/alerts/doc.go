// Package alerts raises the condition of every alert of configs/monitoring on a
// real daemon, and sees the alert fire, and nothing fire while all is well.
//
//	daemon ── /metrics ──► Timeline ──► promtool test rules ──► the alerts that fire
//
// A Timeline is what a Prometheus that scrapes every 15 seconds would hold. Each
// column is a scrape of the daemon, taken as fast as it answers: the numbers are
// real, only the clock between them is not, so that `for: 5m` does not take five
// minutes; an age of minutes grows by that clock, once it has begun. Rules are evaluated by Prometheus's own code.
package alerts
