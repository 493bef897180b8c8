package loopback

import (
	"net"
	"testing"
)

func TestPortIsNobodyElses(t *testing.T) {
	p, err := Take()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if p.Number < first || p.Number > last {
		t.Errorf("port %d", p.Number)
	}
	for range 2 { // before its server starts, and while that restarts
		if again := take(p.Number); again != nil {
			t.Fatal("it is given twice")
		}
		l, err := net.Listen("tcp4", p.Address())
		if err != nil {
			t.Fatalf("its own server cannot listen: %v", err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	p.Close()
	p.Close()
	other := take(p.Number)
	if other == nil {
		t.Fatal("it is not given any more")
	}
	other.Close()
	(*Port)(nil).Close()
}

func TestPortInUseIsNotTaken(t *testing.T) {
	p, err := Take()
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp4", p.Address())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	p.Close()
	if again := take(p.Number); again != nil {
		again.Close()
		t.Error("somebody listens there")
	}
}
