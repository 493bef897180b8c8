// Package deploy tries what configs/deploy holds, as far as that goes without a
// container engine and without systemd running: the unit by systemd's own
// verifier and the real binary over a socket of its own, the container file by
// running each of its commands by hand.
package deploy
