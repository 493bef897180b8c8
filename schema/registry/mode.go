package registry

// A Mode says what may be done to a subject.
type Mode string

// The modes, as Confluent's registry names them.
const (
	ReadWrite        Mode = "READWRITE" // the default
	ReadOnly         Mode = "READONLY"  // nothing is registered, deleted or configured
	ReadOnlyOverride Mode = "READONLY_OVERRIDE"
	Import           Mode = "IMPORT" // schemas come with their ids, and are not compared
)

// ParseMode checks a mode's name.
func ParseMode(s string) (Mode, error) {
	switch m := Mode(s); m {
	case ReadWrite, ReadOnly, ReadOnlyOverride, Import:
		return m, nil
	}
	return "", refuse(CodeInvalidMode, "Invalid mode %.40q: it is one of READWRITE, READONLY, READONLY_OVERRIDE, IMPORT", s)
}

func (m Mode) readOnly() bool { return m == ReadOnly || m == ReadOnlyOverride }

// writable refuses a change of a subject that its mode does not allow.
func (s *state) writable(subject string) error {
	if m := s.mode(subject); m.readOnly() {
		return refuse(CodeNotPermitted, "Subject %s is in read-only mode (%s)", subject, m)
	}
	return nil
}

// mode is what holds for a subject. READONLY_OVERRIDE of all is stronger than
// what a subject says for itself.
func (s *state) mode(subject string) Mode {
	all, ok := s.modes[""]
	if !ok {
		all = ReadWrite
	}
	if own, ok := s.modes[subject]; ok && all != ReadOnlyOverride {
		return own
	}
	return all
}
