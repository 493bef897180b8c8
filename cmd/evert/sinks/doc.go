// Package sinks delivers to the sinks of a file: each is a component of its own, owned by one
// daemon, which rests when people or a record say so, and is tried again when its system
// does not take what it gets.
//
//	configs.Sink ─► outlets.Outlet ─► deliver.Delivery, by a component ─► the outside system
//	                                      ├─► Commands: pause, resume, skip, replay
//	                                      └─► Indexes: those that can be searched
package sinks
