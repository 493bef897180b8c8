package pattern

// unambiguous reports whether every text that a regular expression matches can be
// read in one way only, so that its groups hold what they must whichever way a
// machine searches. It asks for more than is needed: that each character decides
// which part of the expression comes next (Glushkov's automaton is
// deterministic), that nothing optional may be empty, that anchors stand at the
// ends, and that no group is repeated.
func unambiguous(tree *node) bool {
	a := automaton{ok: true, followers: map[int][]int{}}
	end := a.visit(trimAnchors(tree), false)
	return a.ok && disjoint(a.classes, end.first)
}

// trimAnchors takes off ^ in front and $ at the end.
func trimAnchors(n *node) *node {
	if n.op != opCat {
		return n
	}
	parts := n.parts
	for len(parts) > 0 && parts[0].op == opStart {
		parts = parts[1:]
	}
	for len(parts) > 0 && parts[len(parts)-1].op == opEnd {
		parts = parts[:len(parts)-1]
	}
	return &node{op: opCat, parts: parts}
}

// An automaton has a position for each character of the expression, repeats
// written out.
type automaton struct {
	classes   [][]span
	followers map[int][]int
	ok        bool
}

// ends are where a part may begin and end.
type ends struct {
	first, last []int
	empty       bool // the part matches the empty text
}

const maxPositions = 400

func (a *automaton) visit(n *node, repeated bool) ends {
	if !a.ok || len(a.classes) > maxPositions {
		a.ok = false
		return ends{}
	}
	switch n.op {
	case opEmpty:
		return ends{empty: true}
	case opChar:
		a.classes = append(a.classes, n.class)
		at := []int{len(a.classes) - 1}
		return ends{first: at, last: at}
	case opCat:
		return a.cat(n.parts, repeated)
	case opAlt:
		return a.alt(n.parts, repeated)
	case opGroup:
		a.ok = a.ok && !repeated
		return a.visit(n.parts[0], repeated)
	case opRepeat:
		return a.repeat(n, repeated)
	}
	a.ok = false // an anchor inside
	return ends{}
}

func (a *automaton) cat(parts []*node, repeated bool) ends {
	all := ends{empty: true}
	for _, p := range parts {
		all = a.join(all, a.visit(p, repeated))
	}
	return all
}

// join puts y behind x: behind each last position of x comes a first one of y,
// which must differ from whatever else may come there.
func (a *automaton) join(x, y ends) ends {
	for _, l := range x.last {
		a.follow(l, y.first)
	}
	out := ends{first: x.first, last: y.last, empty: x.empty && y.empty}
	if x.empty {
		out.first = append(append([]int{}, x.first...), y.first...)
	}
	if y.empty {
		out.last = append(append([]int{}, y.last...), x.last...)
	}
	return out
}

func (a *automaton) alt(parts []*node, repeated bool) ends {
	var all ends
	for _, p := range parts {
		e := a.visit(p, repeated)
		a.ok = a.ok && !(all.empty && e.empty)
		all = ends{append(all.first, e.first...), append(all.last, e.last...), all.empty || e.empty}
	}
	return all
}

// repeat writes a repeat out: x{2,4} is x x (x (x)?)?, x{2,} is x x x*.
func (a *automaton) repeat(n *node, repeated bool) ends {
	repeated = repeated || n.max != 1
	all := ends{empty: true}
	for range n.min {
		all = a.join(all, a.visit(n.parts[0], repeated))
	}
	if n.max < 0 {
		body := a.visit(n.parts[0], repeated)
		a.ok = a.ok && !body.empty
		for _, l := range body.last {
			a.follow(l, body.first)
		}
		body.empty = true
		return a.join(all, body)
	}
	optional := ends{empty: true} // from the inside out, so that each copy is behind the one before
	for range n.max - n.min {
		body := a.visit(n.parts[0], repeated)
		a.ok = a.ok && !body.empty
		optional = a.join(body, optional)
		optional.empty = true
	}
	return a.join(all, optional)
}

// follow notes what may come behind a position.
func (a *automaton) follow(at int, next []int) {
	a.followers[at] = append(a.followers[at], next...)
	a.ok = a.ok && disjoint(a.classes, a.followers[at])
}

// disjoint reports whether the classes of the positions have no character in
// common.
func disjoint(classes [][]span, at []int) bool {
	for i := range at {
		for j := range i {
			if at[i] != at[j] && overlap(classes[at[i]], classes[at[j]]) {
				return false
			}
		}
	}
	return true
}
