package avro

// Compatible reports, as an error that says where they differ, whether a reader
// with one schema can read what was written with the other.
func Compatible(reader, writer string) error { return errTodo }
