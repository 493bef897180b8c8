// Package diskspace guards the room that a store on Pebble needs to stay alive
// (O08, R07). There are three lines of defence:
//
//  1. Whoever adds to the store asks Free first, and waits or refuses while less
//     than the reserve is free. What is under way lives on the reserve.
//  2. If a write fails for want of room nevertheless (somebody else took it), it
//     waits inside the file system that Wrap gives, and everything behind it with
//     it, until a probe can be written; then it is tried again. Pebble never sees
//     the error, nothing is lost and nobody has to act.
//  3. If the retry fails too, or the store is being closed, Pebble gives up; what
//     then is the store's to say.
//
// It also spaces what fails for another reason, because the disk is broken or the
// folder is gone: Pebble would flush again at once, for ever, on a full core. And it
// keeps a store that was abandoned so from its files, which another one may open then.
package diskspace
