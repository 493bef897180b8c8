package scalar

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/evertdb/evert/schema"
)

var update = flag.Bool("update", false, "ask Postgres for the answers anew")

const answersFile = "testdata/answers.txt"

// What Postgres once answered is answered still, where there is no Postgres too.
// Each line is a call: its name, its arguments as type and text, and the answer.
func TestAnswersOfPostgres(t *testing.T) {
	if *update {
		writeAnswers(t)
	}
	file, err := os.ReadFile(answersFile)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(file)), "\n")
	for _, line := range lines {
		p, want, err := parseAnswer(line)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		here := p.here()
		if strings.HasPrefix(here, "ERROR") {
			here = "ERROR"
		}
		if here != want {
			t.Errorf("%s\n\there %s", line, here)
		}
	}
	if len(lines) < 1000 {
		t.Errorf("there are %d answers only", len(lines))
	}
}

// writeAnswers asks for a few calls of each row of the catalogue.
func writeAnswers(t *testing.T) {
	const perOverload, longest = 3, 80
	rng := rand.New(rand.NewPCG(1, 6))
	o := newOracle(t)
	all := catalogue()
	var probes []probe
	var expressions []string
	for _, name := range sortedNames(all) {
		for i := range all[name] {
			for range perOverload {
				p := drawProbe(rng, &all[name][i])
				probes, expressions = append(probes, p), append(expressions, p.sql())
			}
		}
	}
	var b strings.Builder
	for i, there := range o.ask(expressions) {
		if strings.HasPrefix(there, "ERROR") {
			there = "ERROR"
		}
		here := probes[i].here()
		if len(there) <= longest && !strings.HasPrefix(here, "ERROR 0A000") && (there == here || there == "ERROR") {
			fmt.Fprintln(&b, probes[i].line(there))
		}
	}
	if err := os.WriteFile(answersFile, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (p *probe) line(answer string) string {
	parts := []string{strconv.Quote(p.name)}
	for _, a := range p.args {
		parts = append(parts, strconv.Quote(a.typ.Name), strconv.Quote(a.text))
	}
	return strings.Join(append(parts, strconv.Quote(answer)), " ")
}

func parseAnswer(line string) (p probe, answer string, err error) {
	var words []string
	for line != "" {
		quoted, err := strconv.QuotedPrefix(line)
		if err != nil {
			return p, "", err
		}
		word, err := strconv.Unquote(quoted)
		if err != nil {
			return p, "", err
		}
		words = append(words, word)
		line = strings.TrimPrefix(line[len(quoted):], " ")
	}
	p.name = words[0]
	for i := 1; i+1 < len(words)-1; i += 2 {
		typ, err := typeCalled(words[i])
		if err != nil {
			return p, "", err
		}
		p.args = append(p.args, argument{typ, words[i+1]})
	}
	return p, words[len(words)-1], nil
}

func typeCalled(name string) (schema.Type, error) {
	elem, array := strings.CutSuffix(name, "[]")
	switch elem {
	case "mood":
		return moodType(), nil
	case "unknown":
		return Unknown.Type(), nil
	}
	t, err := Named(elem)
	if array {
		t = ArrayOf(t)
	}
	return t, err
}
