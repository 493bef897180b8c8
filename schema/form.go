package schema

// A Form says what the text of an opaque type is, so that it can be written as
// more than text where a topic has more. The value itself stays the text that its
// source prints.
type Form string

// The forms. The empty one is text, and nothing is known of it.
const (
	FormBit      Form = "bit"      // bit(n), n in Type.Precision: zeros and ones
	FormMoney    Form = "money"    // -$1,234.56
	FormOID      Form = "oid"      // a number of 32 bits without a sign
	FormTimeTZ   Form = "timetz"   // 12:00:00.5+05:30
	FormHStore   Form = "hstore"   // "key"=>"value", "other"=>NULL
	FormPoint    Form = "point"    // (1,2.5)
	FormXML      Form = "xml"      //
	FormLTree    Form = "ltree"    // a.b.c
	FormTSVector Form = "tsvector" // 'a':1 'b':2A
)
