// Package exit knows with which code the program ends: an error says it itself, by the mark
// of the verb that met it, or by its refusal's code.
package exit
