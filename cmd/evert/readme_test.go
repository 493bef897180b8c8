package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/evertdb/evert/cmd/evert/cli"
	"github.com/evertdb/evert/cmd/evert/demo"
	"github.com/evertdb/evert/configs"
)

// TestReadmeIsTrue loads the file that the README shows, finds its view among the
// demo's, which are compared with Postgres, and looks for the verbs that it names.
func TestReadmeIsTrue(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	file := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindSubmatch(text)
	if file == nil {
		t.Fatal("the README shows no file")
	}
	env := func(name string) (string, bool) { return "postgres://evert@localhost/shop", name == "SHOP_URL" }
	if _, err := configs.Parse("README.md", file[1], env); err != nil {
		t.Errorf("the README's file: %v", err)
	}
	view := regexp.MustCompile("(?s)```yaml\nviews:\n(.*?)```").FindSubmatch(text)
	if view == nil || !strings.Contains(demo.InPostgres("").Views(), regexp.MustCompile(` +# .*`).ReplaceAllString(string(view[1]), "")) {
		t.Error("the README's view is not one of the demo's")
	}
	root := (&app{App: &cli.App{Ctx: t.Context(), In: strings.NewReader(""), Out: t.Output(), Err: t.Output(), Env: env}}).root()
	for _, verb := range regexp.MustCompile(`\./evert ([a-z]+)`).FindAllSubmatch(text, -1) {
		if c, _, err := root.Find([]string{string(verb[1])}); err != nil || c == root {
			t.Errorf("the README names `evert %s`, which does not exist", verb[1])
		}
	}
}
