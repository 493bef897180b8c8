package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// hook starts an HTTP endpoint of a script, which ends with it:
//
//	hook NAME REFUSED TAKEN     $NAME is its URL; it answers 422 to a body that has a line of the file REFUSED in it, and adds the others to TAKEN
func hook(ts *testscript.TestScript, neg bool, args []string) {
	expect(ts, !neg && len(args) == 3, "hook NAME REFUSED TAKEN")
	refused, taken := ts.MkAbs(args[1]), ts.MkAbs(args[2])
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || refuses(refused, body) {
			w.WriteHeader(http.StatusUnprocessableEntity)
			return
		}
		var events []json.RawMessage
		if json.Unmarshal(body, &events) != nil || appendLines(taken, events) != nil {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	ts.Defer(server.Close)
	ts.Setenv(args[0], server.URL)
}

func refuses(file string, body []byte) bool {
	words, _ := os.ReadFile(file)
	for word := range strings.FieldsSeq(string(words)) {
		if bytes.Contains(body, []byte(word)) {
			return true
		}
	}
	return false
}

func appendLines(file string, events []json.RawMessage) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	for _, e := range events {
		if _, err := f.Write(append(e, '\n')); err != nil {
			f.Close()
			return err
		}
	}
	return f.Close()
}
