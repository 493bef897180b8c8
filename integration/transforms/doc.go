// Package transforms runs the real binary over a real Postgres with masks and
// transforms: what is masked is nowhere to be found (X12), what a step cannot do
// stops its table and is mended as the refusal says, and what comes out of every
// step is what it promises.
package transforms
