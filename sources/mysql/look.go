package mysql

import "slices"

// look asks the server what a table is, after it was altered: the log describes it with
// the next row alone, which may be long in coming, and until then nobody would know that
// earlier rows do not follow. The answer counts where the stream has come to when it was
// given, as for a chunk.
func (c *copies) look(rel *relation) {
	isMine := func(t *copying) bool { return t.rel == rel }
	if rel.copying != nil || rel.shape == nil || !rel.streams() || slices.ContainsFunc(c.looks, isMine) {
		return
	}
	c.looks = append(c.looks, &copying{keptCopy: keptCopy{TableName: rel.TableName}, rel: rel, spans: spansOf(nil), isLook: true})
}

// looked compares what the table is with what it was.
func (c *copies) looked(t *copying, k *chunk) error {
	rel := t.rel
	c.forget(rel)
	rel.described()
	if rel.streams() && !c.source.is(k.info, rel.shape) {
		if err := c.reshape(t, k); err != nil {
			return err
		}
	}
	c.source.a.keepTables()
	return c.source.a.announce(nothing) // no transaction may follow for long
}

// is reports whether a table is still of a shape.
func (s *Source) is(t *tableInfo, sh *shape) bool {
	key, _ := t.keyed(s.config.keyOf(t.TableName))
	return equalColumns(t.columns, sh.columns) && slices.Equal(key, sh.keyNames())
}
