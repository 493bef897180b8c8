package pgoutput

import "encoding/binary"

var be = binary.BigEndian

// Append appends the message of the given kind that d holds, as a server would
// send it: Append(nil, kind, d) gives the bytes that Decode filled d from.
// Inside a stream block (d.XID not 0) messages carry their transaction id.
func Append(dst []byte, kind Kind, d *Decoder) []byte {
	dst = append(dst, byte(kind))
	if d.XID != 0 && kind.carriesXID() {
		dst = be.AppendUint32(dst, d.XID)
	}
	switch kind {
	case Insert, Update, Delete:
		return appendRow(dst, kind, &d.Row)
	case Relation:
		return appendRelation(dst, &d.Relation)
	case Type:
		dst = be.AppendUint32(dst, d.Type.ID)
		return appendString(appendString(dst, d.Type.Namespace), d.Type.Name)
	case Truncate:
		return appendTruncate(dst, &d.Truncate)
	case Message:
		return appendMessage(dst, &d.Message)
	case Origin:
		return appendString(be.AppendUint64(dst, d.Origin.LSN), d.Origin.Name)
	}
	return appendTx(dst, kind, &d.Tx)
}

func appendTx(dst []byte, kind Kind, t *TxMessage) []byte {
	switch kind {
	case Begin:
		dst = appendTimes(dst, t.LSN, uint64(t.Time))
		return be.AppendUint32(dst, t.XID)
	case Commit:
		return appendTimes(append(dst, t.Flags), t.LSN, t.EndLSN, uint64(t.Time))
	case StreamStart:
		return append(be.AppendUint32(dst, t.XID), t.First)
	case StreamCommit:
		dst = append(be.AppendUint32(dst, t.XID), t.Flags)
		return appendTimes(dst, t.LSN, t.EndLSN, uint64(t.Time))
	case StreamAbort:
		dst = be.AppendUint32(be.AppendUint32(dst, t.XID), t.SubXID)
		if t.HasLSN {
			dst = appendTimes(dst, t.LSN, uint64(t.Time))
		}
		return dst
	case BeginPrepare:
		dst = appendTimes(dst, t.LSN, t.EndLSN, uint64(t.Time))
	case Prepare, CommitPrepared, StreamPrepare:
		dst = appendTimes(append(dst, t.Flags), t.LSN, t.EndLSN, uint64(t.Time))
	case RollbackPrepared:
		dst = appendTimes(append(dst, t.Flags), t.LSN, t.EndLSN, uint64(t.Time), uint64(t.Time2))
	default:
		return dst // Stream Stop has no fields
	}
	return appendString(be.AppendUint32(dst, t.XID), t.GID)
}

func appendTimes(dst []byte, vs ...uint64) []byte {
	for _, v := range vs {
		dst = be.AppendUint64(dst, v)
	}
	return dst
}

func appendRow(dst []byte, kind Kind, row *Row) []byte {
	dst = be.AppendUint32(dst, row.Relation)
	if row.OldKind != OldNone {
		dst = appendTuple(append(dst, byte(row.OldKind)), row.Old)
	}
	if kind != Delete {
		dst = appendTuple(append(dst, 'N'), row.New)
	}
	return dst
}

func appendTuple(dst []byte, cols []Column) []byte {
	dst = be.AppendUint16(dst, uint16(len(cols)))
	for _, c := range cols {
		dst = append(dst, byte(c.Kind))
		if c.Kind == Text || c.Kind == Binary {
			dst = append(be.AppendUint32(dst, uint32(len(c.Data))), c.Data...)
		}
	}
	return dst
}

func appendRelation(dst []byte, m *RelationMessage) []byte {
	dst = be.AppendUint32(dst, m.ID)
	dst = appendString(appendString(dst, m.Namespace), m.Name)
	dst = be.AppendUint16(append(dst, m.Identity), uint16(len(m.Columns)))
	for _, c := range m.Columns {
		dst = appendString(append(dst, c.Flags), c.Name)
		dst = be.AppendUint32(be.AppendUint32(dst, c.OID), uint32(c.TypMod))
	}
	return dst
}

func appendTruncate(dst []byte, m *TruncateMessage) []byte {
	dst = append(be.AppendUint32(dst, uint32(len(m.Relations))), m.Options)
	for _, id := range m.Relations {
		dst = be.AppendUint32(dst, id)
	}
	return dst
}

func appendMessage(dst []byte, m *LogicalMessage) []byte {
	dst = be.AppendUint64(append(dst, m.Flags), m.LSN)
	dst = appendString(dst, m.Prefix)
	return append(be.AppendUint32(dst, uint32(len(m.Content))), m.Content...)
}

func appendString(dst, s []byte) []byte { return append(append(dst, s...), 0) }
