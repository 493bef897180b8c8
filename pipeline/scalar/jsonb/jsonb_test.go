package jsonb_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/evertdb/evert/pipeline/scalar/jsonb"
)

// The normal form of any JSON is JSON, is its own normal form, and holds what a
// reader of nodes finds where the quick readers of text look.
func FuzzNormal(f *testing.F) {
	for _, s := range []string{
		`{"b":1,"a":{"c":[1,2.50,"x\n\u00e9"]},"b":null}`, `[[],{},"",-0.0,1e3]`, `"\ud83d\ude00"`, ` null `, `{"":{"":{}}}`, `{"a]":"}\\\"","b":[","]}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		normal, err := jsonb.Normal(nil, text)
		if err != nil {
			return
		}
		again, err := jsonb.Normal(nil, normal)
		if err != nil || !bytes.Equal(normal, again) {
			t.Fatalf("%q becomes %q becomes %q, %v", text, normal, again, err)
		}
		if !json.Valid(normal) {
			t.Fatalf("%q becomes %q, which is not JSON", text, normal)
		}
		if jsonb.Check(text) != nil {
			t.Fatalf("%q is jsonb, but not json", text)
		}
		n, err := jsonb.Parse(normal)
		if err != nil {
			t.Fatal(err)
		}
		sameMembers(t, normal, &n)
	})
}

func sameMembers(t *testing.T, normal []byte, n *jsonb.Node) {
	for i := range n.Elems {
		want := n.Elems[i].Append(nil)
		if n.Kind == jsonb.Object {
			if raw, ok := jsonb.Field(normal, n.Keys[i]); !ok || !bytes.Equal(raw, want) {
				t.Fatalf("in %q, %q is %q; want %q", normal, n.Keys[i], raw, want)
			}
			continue
		}
		for _, at := range []int{i, i - len(n.Elems)} {
			if raw, ok := jsonb.Element(normal, at); !ok || !bytes.Equal(raw, want) {
				t.Fatalf("in %q, %d is %q; want %q", normal, at, raw, want)
			}
		}
	}
	if _, ok := jsonb.Field(normal, []byte("no such key \x00")); ok {
		t.Fatalf("%q has a key that it has not", normal)
	}
	if _, ok := jsonb.Element(normal, len(n.Elems)+1); ok {
		t.Fatalf("%q has an element that it has not", normal)
	}
}

// Set, delete and concatenate give back what was put in.
func TestEdits(t *testing.T) {
	parse := func(s string) jsonb.Node {
		n, err := jsonb.Parse([]byte(s))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	doc, one := parse(`{"a": {"list": [1, 2]}}`), parse(`{"n": 1}`)
	path := [][]byte{[]byte("a"), []byte("list"), []byte("-1")}
	set, err := jsonb.Set(doc, path, one, false)
	if err != nil || string(set.Append(nil)) != `{"a": {"list": [1, {"n": 1}]}}` {
		t.Errorf("set: %s, %v", set.Append(nil), err)
	}
	if string(doc.Append(nil)) != `{"a": {"list": [1, 2]}}` {
		t.Errorf("the original became %s", doc.Append(nil))
	}
	gone, err := jsonb.DeletePath(set, path)
	if err != nil || string(gone.Append(nil)) != `{"a": {"list": [1]}}` {
		t.Errorf("delete: %s, %v", gone.Append(nil), err)
	}
	both, err := jsonb.Concat(doc, one)
	if err != nil || !jsonb.Contains(&both, &doc) || !jsonb.Contains(&both, &one) || jsonb.Contains(&doc, &both) {
		t.Errorf("concat: %s, %v", both.Append(nil), err)
	}
}
