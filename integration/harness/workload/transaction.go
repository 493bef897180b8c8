package workload

import (
	"fmt"
	"strings"
)

// draft is a transaction being put together: its statements, what they change
// if all of it commits, and the session's state behind them.
type draft struct {
	*session
	tx  Tx
	sql strings.Builder
}

func (d *draft) exec(format string, args ...any) {
	fmt.Fprintf(&d.sql, format, args...)
	d.sql.WriteString(";\n")
}

func (d *draft) note(c Change) { d.tx.Changes = append(d.tx.Changes, c) }

func (d *draft) insert(t Table) {
	x := row{key: d.newKey(t), ver: 1}
	names, values := t.columnsSQL(d.seed())
	d.exec("INSERT INTO %s (%s, ver, tx, %s) VALUES ('%s', %d, %d, %s)", t.Name,
		strings.Join(t.Key, ", "), strings.Join(names, ", "),
		strings.Join(x.key, "', '"), x.ver, d.tx.ID, strings.Join(values, ", "))
	d.state[t.Name].put(x)
	d.note(Change{Table: t.Name, Kind: Created, Key: keyText(x.key), Ver: 1})
}

// touch updates a row; large values are left as they are unless all are made
// anew.
func (d *draft) touch(t Table, x row, anew bool) {
	x.ver++
	set := fmt.Sprintf("ver = %d, tx = %d", x.ver, d.tx.ID)
	if anew {
		names, values := t.columnsSQL(d.seed())
		for i := range names {
			set += ", " + names[i] + " = " + values[i]
		}
	}
	d.exec("UPDATE %s SET %s WHERE %s", t.Name, set, t.where(x.key))
	d.state[t.Name].put(x)
	d.note(Change{Table: t.Name, Kind: Updated, Key: keyText(x.key), Ver: x.ver})
}

func (d *draft) delete(t Table, x row) {
	d.exec("DELETE FROM %s WHERE %s", t.Name, t.where(x.key))
	d.state[t.Name].drop(keyText(x.key))
	d.note(Change{Table: t.Name, Kind: Deleted, Key: keyText(x.key)})
}

func (d *draft) move(t Table, x row, to []string) row {
	set := fmt.Sprintf("ver = %d, tx = %d", x.ver+1, d.tx.ID)
	for i := range to {
		set += fmt.Sprintf(", %s = '%s'", t.Key[i], to[i])
	}
	d.exec("UPDATE %s SET %s WHERE %s", t.Name, set, t.where(x.key))
	d.state[t.Name].drop(keyText(x.key))
	moved := row{key: to, ver: x.ver + 1}
	d.state[t.Name].put(moved)
	d.note(Change{Table: t.Name, Kind: Moved, Key: keyText(x.key), To: keyText(to), Ver: moved.ver})
	return moved
}

// swap exchanges the keys of two rows through a temporary one.
func (d *draft) swap(t Table) {
	r := d.state[t.Name]
	a, ok := r.pick(d.rng)
	b, _ := r.pick(d.rng)
	if !ok || keyText(a.key) == keyText(b.key) {
		d.insert(t)
		return
	}
	temp := d.move(t, a, d.tempKey(t))
	d.move(t, b, a.key)
	d.move(t, temp, b.key)
}

// step is one random change of one table.
func (d *draft) step(t Table) {
	r := d.state[t.Name]
	x, ok := r.pick(d.rng)
	if !ok || len(r.order) < 5 {
		d.insert(t)
		return
	}
	switch n := d.rng.IntN(100); {
	case n < 25 && len(r.order) < d.g.Rows:
		d.insert(t)
	case n < 65:
		d.touch(t, x, false)
	case n < 80:
		d.touch(t, x, true)
	case n < 88:
		d.delete(t, x)
	case n < 94:
		d.move(t, x, d.newKey(t))
	default:
		d.swap(t)
	}
}

func (d *draft) steps(n int) {
	for range n {
		d.step(d.tables[d.rng.IntN(len(d.tables))])
	}
}

// nested is a tree of savepoints, some of them rolled back.
func (d *draft) nested(depth int) {
	name := fmt.Sprintf("s%d", depth)
	before, kept := d.state.clone(), len(d.tx.Changes)
	d.exec("SAVEPOINT %s", name)
	d.steps(1 + d.rng.IntN(3))
	if depth < 5 && d.rng.IntN(2) == 0 {
		d.nested(depth + 1)
	}
	if d.rng.IntN(2) == 0 {
		d.exec("ROLLBACK TO %s", name)
		numbers := d.state
		d.session.state, d.tx.Changes = before, d.tx.Changes[:kept]
		d.state.keepNumbers(numbers)
		return
	}
	d.exec("RELEASE %s", name)
}

// keepNumbers goes on numbering new keys where other left off, so that a key
// that was rolled back is never used for another row.
func (s state) keepNumbers(other state) {
	for name, r := range other {
		s[name].next = r.next
	}
}

func (d *draft) truncate() {
	t, _ := Find("scratch")
	d.exec("TRUNCATE scratch")
	d.state[t.Name].clear()
	d.note(Change{Table: t.Name, Kind: Truncated})
	for range d.rng.IntN(4) {
		d.insert(t)
	}
}

// wide touches many rows of one table at once.
func (d *draft) wide() {
	t := d.tables[d.rng.IntN(len(d.tables))]
	for range d.g.Wide/2 + d.rng.IntN(d.g.Wide) {
		if x, ok := d.state[t.Name].pick(d.rng); ok && d.rng.IntN(10) > 0 {
			d.touch(t, x, false)
		} else {
			d.insert(t)
		}
	}
}

// fill chooses what the transaction is like. It gives false if the whole of it
// is to be rolled back.
func (d *draft) fill() bool {
	n := d.rng.IntN(1000)
	switch {
	case n < 550:
		d.steps(1 + d.rng.IntN(5))
	case n < 750:
		d.steps(1)
		d.nested(1)
		d.steps(1)
	case n < 850:
		for _, t := range d.tables {
			d.swap(t)
		}
	case n < 900:
		d.steps(10 + d.rng.IntN(40))
	case n < 900+d.g.WideShare:
		d.wide()
	case n < 950 && d.number == 0 && !d.g.NoTruncate:
		d.truncate()
	default:
		d.steps(1 + d.rng.IntN(3))
		return n < 970
	}
	return true
}
