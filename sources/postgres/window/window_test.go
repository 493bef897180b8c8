package window

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/evertdb/evert/schema"
)

// A windowScript drives a window by words and says what comes of its chunk:
//
//	5:a,b          transaction 5 changes rows a and b
//	5:-            transaction 5 truncates the table
//	open           the window opens
//	suspects:5,6   these wrote before the table was watched
//	read:5:9:6:a,b a chunk of rows a and b, as snapshot 5:9:6 shows them
//	replayed:a,b   such a chunk of a standby
//	full           no more may be kept before the chunk arrives
//	out            the rows that come out; or that the chunk is read again
func windowScript(t *testing.T, w *Window, script string) string {
	t.Helper()
	var out []string
	var rows []string
	for word := range strings.FieldsSeq(script) {
		verb, rest, _ := strings.Cut(word, ":")
		switch verb {
		case "open":
			w.Open()
		case "full":
			out = append(out, fmt.Sprint("full=", w.Full()))
		case "suspects":
			var xids []uint32
			for x := range strings.SplitSeq(rest, ",") {
				if x != "" {
					xids = append(xids, number(t, x))
				}
			}
			w.Suspect(xids)
		case "read":
			parts := strings.SplitN(rest, ":", 4)
			v, err := ParseVisibility(strings.Join(parts[:3], ":"))
			if err != nil {
				t.Fatal(err)
			}
			rows = strings.Split(parts[3], ",")
			keys := map[string]int{}
			for i, k := range rows {
				keys[k] = i
			}
			if hidden, ok := w.Arrive(v, keys, len(rows)); !ok {
				out = append(out, fmt.Sprint("again:", hidden))
				rows = nil
			}
		case "replayed":
			rows = strings.Split(rest, ",")
			keys := map[string]int{}
			for i, k := range rows {
				keys[k] = i
			}
			w.ArriveReplayed(keys, len(rows))
		case "out":
			var kept []string
			for i, k := range rows {
				if !w.Loses(i) {
					kept = append(kept, k)
				}
			}
			out = append(out, strings.Join(kept, ","))
			w.Close()
		default:
			xid := number(t, verb)
			w.Touch(xid)
			for k := range strings.SplitSeq(rest, ",") {
				if k == "-" {
					w.Truncate(xid)
				} else {
					w.Change([]byte(k), xid)
				}
			}
		}
	}
	return strings.Join(out, " ")
}

func number(t *testing.T, text string) uint32 {
	t.Helper()
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	return uint32(n)
}

func TestWindow(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, script, want string }{
		{"nothing happens", "open read:9:9::a,b out", "a,b"},
		{"visible before the chunk arrives: the row wins", "open 5:a read:9:9::a,b out", "a,b"},
		{"visible, and streamed behind the chunk: the row wins", "open read:9:9::a,b 5:a out", "a,b"},
		{"not visible, streamed before the chunk arrives: the row loses", "open 9:a read:9:9::a,b out", "b"},
		{"not visible, streamed behind the chunk: the row loses", "open read:9:9::a,b 9:a out", "b"},
		{"in progress in the snapshot: the row loses", "open 6:a read:6:9:6:a,b out", "b"},
		{"in progress in the snapshot, streamed behind it", "open read:6:9:6,8:a,b 6:a 7:b out", "b"},
		{"visible and then not visible: the row loses", "open 5:a 9:a read:6:9::a,b out", "b"},
		{"not visible and then visible, in the order of commits", "open 9:a 5:a read:6:9::a,b out", "b"},
		{"a key that moved is two", "open 9:a,c read:6:9::a,b,c out", "b"},
		{"deleted before and inserted behind the snapshot: there is no row", "open 5:a read:6:9::b 9:a out", "b"},
		{"truncated behind the snapshot", "open read:6:9::a,b 9:- out", ""},
		{"truncated before the snapshot", "open 5:- read:6:9::a,b out", "a,b"},
		{"truncated before the chunk arrives, not visible", "open 9:- read:6:9::a,b out", ""},
		{"P12 streamed before the window, and no snapshot shows it yet", "5:a open read:5:9:5:a,b open read:5:9:5:a,b open read:9:9::a,b out", "again:5 again:5 a,b"},
		{"P12 streamed before the window and shown", "5:a open read:6:9::a,b out", "a,b"},
		{"P12 one of an earlier window that is still hidden", "open 5:x read:5:9:5:a out open read:5:9:5:b", "a again:5"},
		{"P12 wrote before the table was watched, and is open", "open suspects:4 read:4:9:4:a open read:4:9:4:a open read:9:9::a out", "again:4 again:4 a"},
		{"P12 wrote before the table was watched, and has ended", "open suspects:4 read:9:9::a out", "a"},
		{"what is forgotten once it is shown does not count later", "5:a open read:6:9::a out open read:5:9:5:b out", "a b"},
		{"of a standby: what came since the window opened wins, shown or not", "open 5:a,c replayed:a,b,c,d 9:b out", "d"},
		{"of a standby: what came before is shown", "5:a 6:- open replayed:a,b out open replayed:c out", "a,b c"},
		{"of a standby: truncated before the chunk arrives, and behind it", "open 5:- replayed:a out open replayed:b 6:- out", " "},
		{"no snapshot goes back, and numbers wrap around", "open 4294967295:a 3:b read:4294967295:4294967298::a,b,c out", "a,c"},
		{"before the wrap", "open 4294967290:a read:4294967295:4294967298::a,b out", "a,b"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := &Window{MostBytes: 1 << 20, MostXIDs: 100}
			w.Watch()
			if got := windowScript(t, w, c.script); got != c.want {
				t.Errorf("%s\n got %q\nwant %q", c.script, got, c.want)
			}
		})
	}
	t.Run("I9 keys and transactions are bounded", func(t *testing.T) {
		w := &Window{MostBytes: 3 * (keptKeyBytes + keptXIDBytes + 1), MostXIDs: 4}
		w.Watch()
		got := windowScript(t, w, "open 1:a 1:b full 1:c full read:9:9::a full out open 2:a 3:a 4:a full 5:a full")
		if want := "full=false full=true full=false a full=false full=true"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
	t.Run("I9 what a standby has shown is forgotten", func(t *testing.T) {
		w := &Window{MostBytes: 1 << 20, MostXIDs: 3}
		w.Watch()
		if windowScript(t, w, "open 1:a 2:a replayed:b out"); len(w.streamed) > 0 {
			t.Errorf("%d transactions are kept", len(w.streamed))
		}
	})
	t.Run("I9 transactions that are forgotten are suspected", func(t *testing.T) {
		w := &Window{MostBytes: 1 << 20, MostXIDs: 2}
		w.Watch()
		w.Suspect(nil)
		windowScript(t, w, "1:a 2:a")
		if w.LostXIDs {
			t.Error("lost before the bound")
		}
		if windowScript(t, w, "3:a"); !w.LostXIDs || len(w.streamed) > 2 {
			t.Errorf("%d transactions are kept, lost: %v", len(w.streamed), w.LostXIDs)
		}
	})
}

func TestKeysOfAWindow(t *testing.T) {
	t.Parallel()
	table := &schema.Table{Schema: "public", Name: "t", Columns: []schema.Column{{Name: "a"}, {Name: "b"}}, Key: []int{0, 1}}
	text := func(s string) schema.Value { return schema.Text([]byte(s)) }
	rows := []schema.Row{
		{text("a"), text("b")}, {text("ab"), text("")}, {text(""), text("ab")}, {schema.Int(97), text("b")}, {schema.Date(97), text("b")},
		{schema.Decimal([]byte("1.0")), text("")}, {schema.Decimal([]byte("1.00")), text("")},
	}
	seen := map[string]int{}
	for i, row := range rows {
		key := string(AppendKey(nil, table, row))
		if j, ok := seen[key]; ok {
			t.Errorf("rows %d and %d have one key", i, j)
		}
		seen[key] = i
	}
}
