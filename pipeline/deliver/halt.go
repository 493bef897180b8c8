package deliver

// A Halt is the error of a sink that stops at one record, and would at every
// further try: until the record is skipped, or what it is about is mended.
type Halt struct {
	Place Place
	Err   error
}

func (h *Halt) Error() string { return h.Err.Error() }

// Unwrap gives why.
func (h *Halt) Unwrap() error { return h.Err }
