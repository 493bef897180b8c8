package house

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var documents = []string{"README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"}

// document gives a text, or fails: each of them belongs to the product.
func document(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestDocumentsNameWhatExists(t *testing.T) {
	folder := regexp.MustCompile(`(?:^|[\s` + "`" + `("])\.?/?((?:schema|pipeline|sources|sinks|cmd|configs|integration|\.ci)/[\w./*-]*)`)
	link := regexp.MustCompile(`\]\(([^)#:\s]+)\)`)
	for _, name := range documents {
		t.Run(name, func(t *testing.T) {
			text := document(t, name)
			for _, pattern := range []*regexp.Regexp{folder, link} {
				for _, m := range pattern.FindAllStringSubmatch(text, -1) {
					checkPath(t, m[1])
				}
			}
		})
	}
}

// checkPath tolerates a sentence's full stop and the go command's `...`; a star
// stands for at least one file.
func checkPath(t *testing.T, path string) {
	t.Helper()
	path = strings.TrimRight(path, "./")
	found, err := filepath.Glob(filepath.Join(root, path))
	if err != nil || len(found) == 0 {
		t.Errorf("names %s, which does not exist", path)
	}
}

func TestDocumentsNameTargetsThatExist(t *testing.T) {
	makefile := document(t, "Makefile")
	target := regexp.MustCompile("(?m)(?:`|^\\s*(?:\\$ )?(?:\\w+=\\S+ )*)make ([a-z]+)")
	for _, name := range documents {
		t.Run(name, func(t *testing.T) {
			for _, m := range target.FindAllStringSubmatch(document(t, name), -1) {
				if !strings.Contains(makefile, "\n"+m[1]+":") {
					t.Errorf("names `make %s`, which the Makefile has not", m[1])
				}
			}
		})
	}
}
