package postgres

import "testing"

// R21 a place behind the header of a page is the place before it: on an idle
// server a reader would wait for it in vain.
func TestReached(t *testing.T) {
	for _, c := range []struct {
		have, want string
		reached    bool
	}{
		{"0/100", "0/100", true}, {"0/FF", "0/100", false}, {"1/0", "0/FFFFFFFF", true},
		{"0/2000000", "0/2000028", true},  // of a segment
		{"0/2000000", "0/2000030", false}, // the first record could end there
		{"0/2000000", "0/2000018", true},
		{"0/1FFFFF8", "0/2000028", false},
		{"0/2002000", "0/2002018", true}, // of a page
		{"0/2001FF8", "0/2002018", false},
		{"0/2002000", "0/2002028", false}, // 40 bytes into a page that begins no segment
		{"0/2002000", "0/2002020", false},
	} {
		if got, err := reached(c.have, c.want); got != c.reached || err != nil {
			t.Errorf("%s has reached %s: %t %v", c.have, c.want, got, err)
		}
	}
	for _, bad := range []string{"", "x", "0", "0/", "/0", "0/100000000", "-1/0"} {
		if _, err := reached("0/1", bad); err == nil {
			t.Errorf("%q is taken for a place", bad)
		}
		if _, err := reached(bad, "0/1"); err == nil {
			t.Errorf("%q is taken for a place", bad)
		}
	}
}
