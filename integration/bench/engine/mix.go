package engine

// Next appends the changes of one more transaction to tx.
func (s *Shop) Next(tx []Change) []Change {
	switch p := s.rng.IntN(100); {
	case p < 40 || len(s.orders) == 0:
		return s.newOrder(tx)
	case p < 65:
		return s.status(tx)
	case p < 80:
		return s.quantity(tx)
	case p < 88:
		return s.deleteLine(tx)
	case p < 93:
		return s.changeCustomer(tx)
	case p < 98:
		return s.move(tx)
	case p < 99:
		return s.renumber(tx)
	}
	return s.deleteOrder(tx)
}

// pick draws an order: its place.
func (s *Shop) pick() int {
	if s.opt.Zipf {
		return int(s.zipf.Uint64() % uint64(len(s.orders)))
	}
	return s.rng.IntN(len(s.orders))
}

func (s *Shop) newOrder(tx []Change) []Change {
	o := s.add(s.anyCustomer())
	tx = append(tx, insert(Orders, orderRow(o, 0)))
	for i := range o.lines {
		tx = append(tx, insert(Lines, o.row(i)))
	}
	return tx
}

func (s *Shop) status(tx []Change) []Change {
	o := s.orders[s.pick()]
	o.version++
	return append(tx, update(Orders, orderRow(o, o.version)))
}

func (s *Shop) quantity(tx []Change) []Change {
	o := s.orders[s.pick()]
	if len(o.lines) == 0 {
		return s.status(tx)
	}
	i := s.rng.IntN(len(o.lines))
	o.lines[i].version++
	return append(tx, update(Lines, o.row(i)))
}

func (s *Shop) deleteLine(tx []Change) []Change {
	o := s.orders[s.pick()]
	if len(o.lines) == 0 {
		return s.status(tx)
	}
	i := s.rng.IntN(len(o.lines))
	id := o.lines[i].id
	o.lines = append(o.lines[:i], o.lines[i+1:]...)
	return append(tx, remove(Lines, id))
}

func (s *Shop) changeCustomer(tx []Change) []Change {
	id := s.anyCustomer()
	s.versions[id-1]++
	c := s.customer(id)
	c.New = false
	return append(tx, c)
}

// move gives an order to another customer: its foreign key changes.
func (s *Shop) move(tx []Change) []Change {
	o := s.orders[s.pick()]
	o.customer = s.anyCustomer()
	return append(tx, update(Orders, orderRow(o, o.version)))
}

// renumber changes a line's primary key.
func (s *Shop) renumber(tx []Change) []Change {
	o := s.orders[s.pick()]
	if len(o.lines) == 0 {
		return s.status(tx)
	}
	i := s.rng.IntN(len(o.lines))
	tx = append(tx, remove(Lines, o.lines[i].id))
	s.nextLine++
	o.lines[i].id = s.nextLine
	return append(tx, insert(Lines, o.row(i)))
}

func (s *Shop) deleteOrder(tx []Change) []Change {
	at := s.pick()
	o := s.orders[at]
	last := len(s.orders) - 1
	s.orders[at] = s.orders[last]
	s.orders = s.orders[:last]
	for _, l := range o.lines {
		tx = append(tx, remove(Lines, l.id))
	}
	return append(tx, remove(Orders, o.id))
}
