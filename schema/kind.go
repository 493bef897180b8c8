package schema

var kindNames = [...]string{
	KindNull: "null", KindUnknown: "unknown", KindBool: "bool", KindInt: "int", KindFloat: "float",
	KindDecimal: "decimal", KindText: "text", KindBytes: "bytes", KindDate: "date", KindTime: "time",
	KindTimestamp: "timestamp", KindUUID: "uuid", KindJSON: "json", KindArray: "array", KindInterval: "interval",
}

// String gives the word for k that errors and schemas use.
func (k Kind) String() string {
	if int(k) >= len(kindNames) {
		return "?"
	}
	return kindNames[k]
}

// ParseKind is the inverse of Kind.String; ok is false for another word.
func ParseKind(word string) (k Kind, ok bool) {
	for k, name := range kindNames {
		if name == word {
			return Kind(k), true
		}
	}
	return KindNull, false
}
