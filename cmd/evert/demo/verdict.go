package demo

import (
	"fmt"
	"strings"

	"github.com/evertdb/evert/cmd/evert/terminal"
)

// Wrong says what of all that was compared is not as it should be; nil if nothing.
func (s *Summary) Wrong() error {
	for _, w := range []struct {
		n    int64
		what string
	}{
		{s.Differ(), "rows differ between the topics and the tables"},
		{s.Twice(), "records lie in their topics twice"},
		{s.ViewsDiffer(), "rows differ between the views and " + s.oracle()},
		{s.Index.Differ, "documents differ between the search index and its view"},
		{s.Own.Missed, "reads did not contain the write that they waited for"},
	} {
		if w.n > 0 {
			return fmt.Errorf("%d %s", w.n, w.what)
		}
	}
	return nil
}

// Differ counts the rows in which topics and tables differ.
func (s *Summary) Differ() (n int64) {
	for _, r := range s.Results {
		n += r.Differ
	}
	return n
}

// Twice counts the records that a topic holds a second time.
func (s *Summary) Twice() (n int64) {
	for _, r := range s.Results {
		n += r.Twice
	}
	return n
}

// ViewsDiffer counts the rows in which views and their SQL differ.
func (s *Summary) ViewsDiffer() (n int64) {
	for _, v := range s.Views {
		n += v.Differ
	}
	return n
}

func (s *Summary) viewVerdict() string {
	if n := s.ViewsDiffer(); n > 0 {
		return s.Style.Red(fmt.Sprintf("✗ %s rows differ", terminal.Count(n)))
	}
	rows := int64(0)
	for _, v := range s.Views {
		rows += v.Rows
	}
	return s.Style.Green("✓ all "+terminal.Count(rows)+" rows equal") + s.Style.Dim(", each to "+s.answer())
}

func (s *Summary) indexVerdict() string {
	if n := s.Index.Differ; n > 0 {
		return s.Style.Red(fmt.Sprintf("✗ %s documents differ", terminal.Count(n)))
	}
	return s.Style.Green("✓ all "+terminal.Count(s.Index.Rows)+" documents equal") + s.Style.Dim(", of index "+s.Index.Name)
}

// speaksSQL reports whether the database answers the SQL of views itself.
func (s *Summary) speaksSQL() bool { return s.Product == "Postgres" }

// oracle is what the views are compared with.
func (s *Summary) oracle() string {
	if s.speaksSQL() {
		return "their SQL in " + s.Product
	}
	return "what their operators make of the rows in " + s.Product
}

// answer is what one view is compared with.
func (s *Summary) answer() string {
	if s.speaksSQL() {
		return "its SQL in " + s.Product
	}
	return "its operators over " + s.Product + "'s rows"
}

func (s *Summary) viewTable() []string {
	t := terminal.Table{Header: []string{fmt.Sprintf("%-23s", "VIEW"), ">       ", ">ROWS BY " + strings.ToUpper(s.Product), ""}, Style: s.Style}
	for _, v := range s.Views {
		t.Add(s.Style.Bold(v.Name), "", terminal.Count(v.Rows), s.markOf(v.Differ))
	}
	var b strings.Builder
	_ = t.Write(&b)
	return strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
}

// text says how reads of own writes went.
func (r Reads) text(s terminal.Style) string {
	switch {
	case r.Missed > 0:
		return s.Red(fmt.Sprintf("✗ %s of %s reads missed their write", terminal.Count(r.Missed), terminal.Count(r.Missed+r.Good)))
	case r.Good == 0:
		return s.Dim("waiting for the view")
	}
	text := s.Green("✓ all "+terminal.Count(r.Good)+" read back") + s.Dim(", ") + s.Bold(terminal.Duration(r.Median)) + s.Dim(" median, commit → view")
	if r.Late > 0 {
		text += s.Yellow(fmt.Sprintf(", %s too late", terminal.Count(r.Late)))
	}
	return text
}
