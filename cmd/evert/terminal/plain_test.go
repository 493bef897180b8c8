package terminal

import "testing"

// What a row holds does not move a person's terminal.
func TestPlain(t *testing.T) {
	for text, want := range map[string]string{
		"São Paulo\tBR":               "São Paulo BR",
		"\x1b]0;title\x07\x1b[2Jgone": "\uFFFD]0;title\uFFFD\uFFFD[2Jgone",
		"a\nb\r\u0085c":               "a b \uFFFDc",
		"evil\u202etxt.exe":           "evil\uFFFDtxt.exe",
	} {
		if got := Plain(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}
