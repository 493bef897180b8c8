package terminal

import (
	"strings"
	"testing"
	"time"
)

func TestQuantities(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{Bytes(0), "0 B"}, {Bytes(1023), "1023 B"}, {Bytes(1536), "1.50 KiB"}, {Bytes(52 << 20), "52.0 MiB"}, {Bytes(-2048), "-2.00 KiB"},
		{Count(0), "0"}, {Count(999), "999"}, {Count(1000), "1,000"}, {Count(-1234567), "-1,234,567"},
		{Rate(0.5), "0.50/s"}, {Rate(12345), "12,345/s"},
		{Duration(3200 * time.Microsecond), "3.20 ms"}, {Duration(45 * time.Second), "45.0 s"},
		{Duration(125 * time.Minute), "2 h 05 min"}, {Duration(72 * time.Hour), "3 days"}, {Duration(61 * time.Second), "1 min 01 s"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

func TestTable(t *testing.T) {
	on := Style{On: true}
	table := Table{Header: []string{"TABLE", ">ROWS", "STATE"}}
	table.Add("public.orders", "1,200", on.Green("ok"))
	table.Add("café", "7", "copying")
	var b strings.Builder
	if err := table.Write(&b); err != nil {
		t.Fatal(err)
	}
	want := "TABLE           ROWS  STATE\n" +
		"public.orders  1,200  \x1b[32mok\x1b[0m\n" +
		"café               7  copying\n"
	if b.String() != want {
		t.Fatalf("got\n%swant\n%s", b.String(), want)
	}
}

func TestCutKeepsEscapes(t *testing.T) {
	s := Cut("ab"+Style{On: true}.Red("cdef")+"g", 4)
	if s != "ab\x1b[31mcd\x1b[0m" || Width(s) != 4 {
		t.Fatalf("got %q of width %d", s, Width(s))
	}
}

func TestPanelDrawsInPlace(t *testing.T) {
	var b strings.Builder
	p := Panel{W: &b}
	_ = p.Draw("one\ntwo\n")
	b.Reset()
	_ = p.Draw("three")
	if b.String() != "\x1b[2A\r\x1b[Jthree\n" {
		t.Fatalf("got %q", b.String())
	}
}

func TestBarAndSpark(t *testing.T) {
	if got := Bar(0.5, 4); got != "██░░" {
		t.Errorf("half of 4: %q", got)
	}
	if got := Bar(2, 3); got != "███" {
		t.Errorf("more than all: %q", got)
	}
	if got := Spark([]float64{0, 1, 2}); got != "▁▅█" {
		t.Errorf("spark: %q", got)
	}
}
