// Package registrytest gives tests a registry in memory, where what the registry
// does is not the question:
//
//	Register(subject, text) ──► an id for each text, in the order of registration
package registrytest
