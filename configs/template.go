package configs

import (
	"fmt"
	"strings"
)

// A piece is a part of a scalar: text, or a reference that stands for text.
//
//	postgres://evert:${file:/run/pw}@${DB_HOST:-localhost}/shop
//	└──── text ────┘└──── file ────┘└┘└───── env ─────────┘└text┘
type piece struct {
	kind     pieceKind
	text     string  // the text, the variable's name, or the file's path
	fallback []piece // of a variable: what stands after :-
	hasElse  bool    // there is a fallback, be it empty
}

type pieceKind int

const (
	pieceText pieceKind = iota
	pieceEnv
	pieceFile
)

// maxReferenceDepth bounds fallbacks inside fallbacks.
const maxReferenceDepth = 8

// parsePieces takes a scalar apart. Errors never hold text of the scalar: what is
// no reference may be a password that holds ${.
func parsePieces(text string) ([]piece, error) {
	ps, rest, err := pieces(text, 0)
	if err == nil && rest != "" {
		err = fmt.Errorf("a reference is broken")
	}
	return ps, err
}

// pieces reads up to the end of text, or up to the } that ends the fallback at
// a depth above 0, and gives what follows.
func pieces(text string, depth int) ([]piece, string, error) {
	var ps []piece
	var lit strings.Builder
	flush := func() {
		if lit.Len() > 0 {
			ps = append(ps, piece{text: lit.String()})
			lit.Reset()
		}
	}
	for text != "" {
		switch {
		case strings.HasPrefix(text, "$${"):
			lit.WriteString("${")
			text = text[3:]
		case strings.HasPrefix(text, "${"):
			flush()
			p, rest, err := reference(text[2:], depth+1)
			if err != nil {
				return nil, "", err
			}
			ps, text = append(ps, p), rest
		case depth > 0 && text[0] == '}':
			flush()
			return ps, text, nil
		default:
			lit.WriteByte(text[0])
			text = text[1:]
		}
	}
	flush()
	return ps, "", nil
}

// reference reads what follows "${", and gives what follows its "}".
func reference(text string, depth int) (piece, string, error) {
	if depth > maxReferenceDepth {
		return piece{}, "", fmt.Errorf("references lie more than %d deep in one another", maxReferenceDepth)
	}
	if path, ok := strings.CutPrefix(text, "file:"); ok {
		return fileReference(path)
	}
	n := 0
	for n < len(text) && (isLetter(text[n]) || text[n] == '_' || n > 0 && isDigit(text[n])) {
		n++
	}
	p := piece{kind: pieceEnv, text: text[:n]}
	rest := text[n:]
	if n == 0 {
		return p, "", fmt.Errorf("a reference has no name of a variable after ${")
	}
	if strings.HasPrefix(rest, ":-") {
		var err error
		p.hasElse = true
		if p.fallback, rest, err = pieces(rest[2:], depth); err != nil {
			return p, "", err
		}
	}
	if !strings.HasPrefix(rest, "}") {
		return p, "", fmt.Errorf("a name after ${ is not followed by } or :-")
	}
	return p, rest[1:], nil
}

// fileReference reads what follows "${file:".
func fileReference(text string) (piece, string, error) {
	path, rest, ok := strings.Cut(text, "}")
	if !ok {
		return piece{}, "", fmt.Errorf("a reference ${file: is not ended by }")
	}
	if !strings.HasPrefix(path, "/") || strings.ContainsRune(path, 0) {
		return piece{}, "", fmt.Errorf("a reference ${file: does not hold an absolute path")
	}
	return piece{kind: pieceFile, text: path}, rest, nil
}

// missingVariable is a reference to a variable that is not set.
type missingVariable struct{ name string }

func (e *missingVariable) Error() string {
	return "the environment variable " + e.name + " is not set"
}

// settle replaces variables by their values, which are not expanded again, and
// leaves text and files. A variable that is set but empty counts as not set when
// there is a fallback, as in a shell.
func settle(ps []piece, env func(string) (string, bool)) ([]piece, error) {
	var out []piece
	for _, p := range ps {
		if p.kind != pieceEnv {
			out = append(out, p)
			continue
		}
		v, ok := env(p.text)
		switch {
		case ok && (v != "" || !p.hasElse):
			out = append(out, piece{text: v})
		case p.hasElse:
			rest, err := settle(p.fallback, env)
			if err != nil {
				return nil, err
			}
			out = append(out, rest...)
		default:
			return nil, &missingVariable{p.text}
		}
	}
	return out, nil
}

// join reads the files among settled pieces, now.
func join(ps []piece) (string, error) {
	var b strings.Builder
	for _, p := range ps {
		text := p.text
		if p.kind == pieceFile {
			var err error
			if text, err = readSecretFile(p.text); err != nil {
				return "", err
			}
		}
		b.WriteString(text)
	}
	return b.String(), nil
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
func isDigit(c byte) bool  { return c >= '0' && c <= '9' }
