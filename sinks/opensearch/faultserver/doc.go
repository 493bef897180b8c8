// Package faultserver is a server of the bulk protocol that fails when it is told
// to: a model of what a target needs of OpenSearch (indexes with aliases, external
// versions and the memory of deletes, conditional writes of the position), with a
// script of faults before it.
//
//	request ─► Fault: refuse it, or take it and lose the answer, tear it, send it again later, fail some items
//	        └► the model ─► answer
//
// What it answers was taken from OpenSearch 2.19; that the target works on the real
// server is told beside it by the clauses of sinktest.
package faultserver
