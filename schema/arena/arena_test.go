package arena

import (
	"math"
	"testing"

	"github.com/evertdb/evert/schema"
)

func TestBytesKeepsWhatItGave(t *testing.T) {
	var a Bytes
	for round := range 3 {
		var kept [][]byte
		for i := range 2000 {
			b := a.Alloc(i * 37 % 40000)
			for j := range b {
				b[j] = byte(i)
			}
			kept = append(kept, b)
		}
		for i, b := range kept {
			for _, c := range b {
				if c != byte(i) {
					t.Fatalf("round %d: piece %d was overwritten", round, i)
				}
			}
		}
		a.Reset()
		if a.Used() != 0 {
			t.Fatal("used after Reset")
		}
	}
}

// What was made elsewhere takes room as what was handed out does.
func TestRoom(t *testing.T) {
	var a Bytes
	if a.Room() != math.MaxInt {
		t.Errorf("without a bound there is room for %d", a.Room())
	}
	a.Most = 100
	a.Alloc(30)
	a.Adopt(make([]byte, 10, 50))
	if a.Used() != 80 || a.Room() != 20 {
		t.Errorf("%d are used, there is room for %d", a.Used(), a.Room())
	}
	a.Alloc(40)
	if a.Room() != 0 {
		t.Errorf("beyond the bound there is room for %d", a.Room())
	}
	if a.Reset(); a.Room() != 100 {
		t.Errorf("behind Reset there is room for %d", a.Room())
	}
}

func TestRowsKeepsWhatItGave(t *testing.T) {
	var a Rows
	for round := range 3 {
		var kept []schema.Row
		for i := range 300 {
			row := a.Row(i * 370 % (blockValues + 200))
			for j := range row {
				row[j] = schema.Int(int64(i))
			}
			kept = append(kept, row)
		}
		for i, row := range kept {
			for _, v := range row {
				if v.Int() != int64(i) {
					t.Fatalf("round %d: row %d was overwritten", round, i)
				}
			}
		}
		a.Reset()
		if a.Used() != 0 {
			t.Fatal("used after Reset")
		}
	}
}

func TestClearedRowsKeepNothingAlive(t *testing.T) {
	var a Rows
	row := a.Row(2)
	row[0], row[1] = schema.Text([]byte("of an event")), schema.Int(1)
	a.Clear()
	if again := a.Row(2); a.Used() != 2 || &again[0] != &row[0] || again[0].Ref() != nil {
		t.Errorf("got %v, want the same block with nothing in it", again)
	}
}

// Whatever was handed out, in whichever blocks, nothing is left behind Clear.
func TestClearForgetsEveryBlock(t *testing.T) {
	var a Rows
	for round := range 6 {
		for i := range round * 5 {
			row := a.Row(1 + i*731%(blockValues/2+round*1000))
			for j := range row {
				row[j] = schema.Text([]byte("of an event"))
			}
		}
		if a.Size() < 24*a.Used() {
			t.Fatalf("%d values take %d bytes", a.Used(), a.Size())
		}
		a.Clear()
		for _, b := range a.blocks {
			for i := range b {
				if b[i].Ref() != nil {
					t.Fatalf("round %d: a value is left", round)
				}
			}
		}
	}
}
