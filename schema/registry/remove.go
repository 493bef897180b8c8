package registry

import (
	"context"
	"fmt"
)

// DeleteSubject deletes all versions of a subject, softly, or for good those
// that were deleted softly before. It gives their numbers.
func (l *Local) DeleteSubject(ctx context.Context, subject string, permanent bool) (numbers []int, err error) {
	err = l.change(ctx, func(s *state) (records []Record, err error) {
		if permanent {
			numbers, records, err = s.purge(subject)
		} else {
			numbers, records, err = s.retire(subject)
		}
		return records, err
	})
	return numbers, err
}

// retire deletes a subject softly: ids keep their meaning.
func (s *state) retire(subject string) (numbers []int, records []Record, err error) {
	all, live := s.list(subject, true), s.list(subject, false)
	switch {
	case len(all) == 0:
		return nil, nil, noSubject(subject)
	case len(live) == 0:
		return nil, nil, refuse(CodeSubjectDeleted, "Subject '%s' was soft deleted. Set permanent=true to delete permanently", subject)
	}
	if err := s.removable(subject, live, false); err != nil {
		return nil, nil, err
	}
	newest := live[len(live)-1].number
	records = append(records, encode(settingKey(keyDeleteSubject, subject), deleteValue{subject, newest}))
	return numbersOf(live), append(records, s.forgetSettings(subject)...), nil
}

// purge deletes a subject for good, and notes the ids that must not come again.
func (s *state) purge(subject string) (numbers []int, records []Record, err error) {
	all := s.list(subject, true)
	switch {
	case len(all) == 0:
		return nil, nil, noSubject(subject)
	case len(s.list(subject, false)) > 0:
		return nil, nil, refuse(CodeSubjectNotDeleted, "Subject '%s' was not deleted first before being permanently deleted", subject)
	}
	if err := s.removable(subject, all, true); err != nil {
		return nil, nil, err
	}
	records = append(records, s.highest())
	for _, v := range all {
		records = append(records, encode(schemaKey(subject, v.number), nil))
	}
	return numbersOf(all), append(records, encode(settingKey(keyDeleteSubject, subject), nil)), nil
}

// DeleteVersion deletes one version of a subject, softly, or for good if it was
// deleted softly before. Newest is the newest that is not deleted. It gives the
// number.
func (l *Local) DeleteVersion(ctx context.Context, subject string, number int, permanent bool) (deleted int, err error) {
	err = l.change(ctx, func(s *state) (records []Record, err error) {
		deleted, records, err = s.drop(subject, number, permanent)
		return records, err
	})
	return deleted, err
}

func (s *state) drop(subject string, number int, permanent bool) (int, []Record, error) {
	v, err := s.get(subject, number, permanent || number != Newest)
	if err != nil {
		return 0, nil, err
	}
	switch {
	case permanent && !v.deleted:
		return 0, nil, refuse(CodeVersionNotDeleted, "Subject '%s' Version %d was not deleted first before being permanently deleted", subject, v.number)
	case !permanent && v.deleted:
		return 0, nil, refuse(CodeVersionDeleted, "Subject '%s' Version %d was soft deleted. Set permanent=true to delete permanently", subject, v.number)
	}
	if err := s.removable(subject, []version{v}, permanent); err != nil {
		return 0, nil, err
	}
	if permanent {
		return v.number, []Record{s.highest(), encode(schemaKey(subject, v.number), nil)}, nil
	}
	v.deleted = true
	records := []Record{encode(schemaKey(subject, v.number), s.valueOf(subject, v, s.schemas[v.id].Schema))}
	if len(s.list(subject, false)) == 1 {
		records = append(records, s.forgetSettings(subject)...)
	}
	return v.number, records, nil
}

// removable refuses to delete what the mode protects or others refer to.
func (s *state) removable(subject string, versions []version, permanent bool) error {
	if err := s.writable(subject); err != nil {
		return err
	}
	for _, v := range versions {
		if len(s.referrers(subject, v.number, permanent)) > 0 {
			return refuse(CodeReferenced, "One or more references exist to the schema {subject=%s,version=%d}", subject, v.number)
		}
	}
	return nil
}

// highest is the record that keeps ids from coming again when their versions go.
func (s *state) highest() Record {
	return Record{Key: []byte(fmt.Sprintf(`{"keytype":%q,"magic":0}`, keyNoop)), Value: jsonOf(noopValue{s.nextID - 1})}
}

// forgetSettings takes back what a subject says for itself.
func (s *state) forgetSettings(subject string) (records []Record) {
	if s.configured(subject) {
		records = append(records, encode(settingKey(keyConfig, subject), nil))
	}
	if _, ok := s.modes[subject]; ok {
		records = append(records, encode(settingKey(keyMode, subject), nil))
	}
	return records
}

func numbersOf(versions []version) []int {
	numbers := make([]int, len(versions))
	for i, v := range versions {
		numbers[i] = v.number
	}
	return numbers
}
