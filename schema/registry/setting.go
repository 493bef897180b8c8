package registry

import "context"

// A Setting is what a subject says for itself, or what holds for all. Empty
// parts are not said.
type Setting struct {
	Level     Level
	Normalize *bool
}

func (s *state) configured(subject string) bool {
	_, level := s.levels[subject]
	_, normal := s.normals[subject]
	return level || normal
}

func (s *state) setting(subject string) (out Setting) {
	out.Level = s.levels[subject]
	if n, ok := s.normals[subject]; ok {
		out.Normalize = &n
	}
	return out
}

// Setting gives what a subject says for itself, or with scope what holds for it.
// An empty subject stands for all.
func (l *Local) Setting(ctx context.Context, subject string, scope bool) (Setting, error) {
	return look(ctx, l, func(s *state) (Setting, error) {
		if subject != "" && !scope && !s.configured(subject) {
			return Setting{}, refuse(CodeNoSubjectConfig, "Subject '%s' does not have subject-level compatibility configured", subject)
		}
		out := s.setting(subject)
		if out.Level == "" {
			out.Level = s.level(subject)
		}
		if all := s.setting(""); scope && out.Normalize == nil {
			out.Normalize = all.Normalize
		}
		return out, nil
	})
}

// Configure changes what a subject says for itself, or what holds for all; empty
// parts stay as they are.
func (l *Local) Configure(ctx context.Context, subject string, want Setting) error {
	return l.change(ctx, func(s *state) ([]Record, error) {
		if err := s.writable(subject); err != nil {
			return nil, err
		}
		if want.Level == "" {
			want.Level = s.setting(subject).Level
		}
		if want.Normalize == nil {
			want.Normalize = s.setting(subject).Normalize
		}
		value := configValue{pointer(subject), string(want.Level), want.Normalize}
		return []Record{encode(settingKey(keyConfig, subject), value)}, nil
	})
}

// Unconfigure takes back what a subject says for itself, or what was said for
// all, and gives what that was.
func (l *Local) Unconfigure(ctx context.Context, subject string) (was Setting, err error) {
	err = l.change(ctx, func(s *state) ([]Record, error) {
		if err := s.writable(subject); err != nil {
			return nil, err
		}
		if subject != "" && !s.configured(subject) {
			return nil, noSubject(subject)
		}
		if was = s.setting(subject); was.Level == "" {
			was.Level = s.level(subject)
		}
		return []Record{encode(settingKey(keyConfig, subject), nil)}, nil
	})
	return was, err
}

// Mode gives the mode that a subject has for itself, or with scope the one that
// holds for it. An empty subject stands for all.
func (l *Local) Mode(ctx context.Context, subject string, scope bool) (Mode, error) {
	return look(ctx, l, func(s *state) (Mode, error) {
		own, ok := s.modes[subject]
		switch {
		case subject == "" || scope:
			return s.mode(subject), nil
		case !ok:
			return "", refuse(CodeNoSubjectMode, "Subject '%s' does not have subject-level mode configured", subject)
		}
		return own, nil
	})
}

// SetMode changes a mode. IMPORT is for what holds no schemas yet, unless force
// is true.
func (l *Local) SetMode(ctx context.Context, subject string, mode Mode, force bool) error {
	return l.change(ctx, func(s *state) ([]Record, error) {
		if mode == Import && !force && s.mode(subject) != Import && s.holds(subject) {
			return nil, refuse(CodeNotPermitted, "Cannot import since found existing subjects")
		}
		return []Record{encode(settingKey(keyMode, subject), modeValue{pointer(subject), string(mode)})}, nil
	})
}

// holds reports whether there are schemas under a subject, or under any.
func (s *state) holds(subject string) bool {
	if subject == "" {
		return len(s.subjects) > 0
	}
	return len(s.subjects[subject]) > 0
}

// UnsetMode takes a mode back, and gives what it was.
func (l *Local) UnsetMode(ctx context.Context, subject string) (was Mode, err error) {
	err = l.change(ctx, func(s *state) ([]Record, error) {
		own, ok := s.modes[subject]
		if !ok && subject != "" {
			return nil, noSubject(subject)
		}
		if was = own; was == "" {
			was = s.mode(subject)
		}
		return []Record{encode(settingKey(keyMode, subject), nil)}, nil
	})
	return was, err
}
