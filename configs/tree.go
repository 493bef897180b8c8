package configs

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Bounds of a file. They are far above any real one, and keep a hostile one
// from exhausting memory, stack or time.
const (
	maxFileBytes = 1 << 20
	maxTokens    = 50_000 // the parser takes time in the square of the keys of one mapping: 0.7 s at this bound
	maxDepth     = 32
	maxNodes     = 50_000 // with every alias counted as what it stands for
)

// A node is a value of the file: what the decoder needs of YAML, and no more.
type node struct {
	kind    nodeKind
	at      place
	text    string     // of a scalar
	plain   bool       // the scalar stands without quotes on one line
	block   bool       // the scalar is a block of lines that stand below, as they are
	yaml    token.Type // what YAML takes a plain scalar for
	entries []entry    // of a mapping
	items   []*node    // of a sequence
}

type nodeKind int

const (
	scalarNode nodeKind = iota
	mappingNode
	sequenceNode
	nullNode
)

// String names the kind in messages.
func (k nodeKind) String() string {
	return [...]string{"a single value", "a mapping", "a list", "nothing"}[k]
}

// entry is one key of a mapping and its value.
type entry struct {
	key   string
	at    place
	bare  bool // a word without a colon, as in {word, key: value}
	value *node
}

// document is a file that was parsed, or was not.
type document struct {
	root *node // nil if there are errors
	page *page
}

// parseDocument parses a file. Mistakes go to ps.
func parseDocument(data []byte, ps *problems) *document {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	doc := &document{page: newPage(data)}
	if !checkBytes(data, ps) {
		return doc
	}
	file, tokens, err := parseYAML(string(data), ps)
	doc.page.structure(tokens)
	switch {
	case tabProblems(tokens, doc.page, ps):
	case err != nil:
		syntaxProblem(err, doc.page, ps)
	case file != nil:
		doc.root = convertFile(file, ps)
	}
	if doc.root == nil {
		doc.page.knownKeys(tokens)
	}
	return doc
}

// checkBytes finds what no YAML file holds.
func checkBytes(data []byte, ps *problems) bool {
	if len(data) > maxFileBytes {
		ps.add(place{1, 1}, configLimit, fmt.Sprintf("the file is larger than %v", Size(maxFileBytes)), "write patterns instead of single tables")
		return false
	}
	at := place{1, 1}
	for len(data) > 0 {
		r, n := utf8.DecodeRune(data)
		switch {
		case r == utf8.RuneError && n == 1:
			ps.add(at, configSyntax, "the file is not UTF-8 text here", "save it as UTF-8")
			return false
		case r < ' ' && r != '\n' && r != '\r' && r != '\t' || r == 0x7f || r == 0xfeff:
			ps.add(at, configSyntax, "the file holds a control character here", "remove it")
			return false
		case r == '\n':
			at = place{at.line + 1, 0}
		}
		at.column++
		data = data[n:]
	}
	return true
}

// parseYAML runs the library, guarded against input that makes it recurse
// without bound or panic.
func parseYAML(text string, ps *problems) (file *ast.File, tokens token.Tokens, err error) {
	defer func() {
		if recover() != nil {
			file, err = nil, errors.New("panic")
		}
	}()
	tokens = joinColons(lexer.Tokenize(text))
	if at, ok := tooDeep(tokens); ok {
		ps.add(at, configLimit, fmt.Sprintf("the file has more than %d tokens, or is nested more than %d deep", maxTokens, maxDepth), "write it flatter, and patterns instead of single tables")
		return nil, tokens, nil
	}
	file, err = parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	return file, tokens, err
}

// joinColons mends what the lexer takes apart inside a list inside braces, as in
// {brokers: [kafka-1:9092]}: a colon without a space behind it belongs to the
// plain word around it.
func joinColons(in token.Tokens) token.Tokens {
	var out token.Tokens
	for i := 0; i < len(in); i++ {
		n := len(out)
		if in[i].Type == token.MappingValueType && n > 0 && i+1 < len(in) && touches(out[n-1], in[i]) && touches(in[i], in[i+1]) {
			value := out[n-1].Value + ":" + in[i+1].Value
			joined := token.New(value, out[n-1].Origin+":"+in[i+1].Origin, out[n-1].Position)
			out = out[:n-1]
			out.Add(joined)
			i++
			continue
		}
		out.Add(in[i])
	}
	return out
}

// touches reports whether two tokens that are plain words or colons follow one
// another without a space.
func touches(a, b *token.Token) bool {
	return isPlain(a) && isPlain(b) && a.Position.Line == b.Position.Line &&
		a.Position.Column+len([]rune(a.Value)) == b.Position.Column
}

func isPlain(tk *token.Token) bool {
	switch tk.Type {
	case token.StringType, token.IntegerType, token.FloatType, token.BoolType, token.NullType, token.MappingValueType:
		return true
	}
	return false
}

// tooDeep finds the token at which nesting passes the bound: brackets, or
// indicators that nest on one line (- - -, ? ? ?, !a !a, &a &a).
func tooDeep(tokens token.Tokens) (place, bool) {
	depth, line, onLine := 0, 0, 0
	for i, tk := range tokens {
		if tk.Position.Line != line {
			line, onLine = tk.Position.Line, 0
		}
		switch tk.Type {
		case token.SequenceStartType, token.MappingStartType:
			depth++
		case token.SequenceEndType, token.MappingEndType:
			depth = max(depth-1, 0)
		case token.SequenceEntryType, token.MappingKeyType, token.TagType, token.AnchorType:
			onLine++
		}
		if depth > maxDepth || onLine > maxDepth || i > maxTokens {
			return placeOf(tk), true
		}
	}
	return place{}, false
}

func placeOf(tk *token.Token) place {
	if tk == nil || tk.Position == nil {
		return place{1, 1}
	}
	return place{tk.Position.Line, tk.Position.Column}
}

// syntaxProblem reports what the parser stopped at. Its own words may quote the
// file, so they are replaced.
func syntaxProblem(err error, src *page, ps *problems) {
	var syntax *yaml.SyntaxError
	if !errors.As(err, &syntax) {
		ps.add(place{1, 1}, configSyntax, "the file is not YAML", "look for quotes and brackets that are not closed")
		return
	}
	at := src.clamp(placeOf(syntax.Token))
	if src.hasReferenceInFlow(at.line) {
		ps.add(at, configSyntax, "${…} stands without quotes inside { } or [ ]", `write "${…}"`)
		return
	}
	for _, h := range syntaxHints() {
		if strings.Contains(syntax.Message, h.part) {
			ps.add(at, configSyntax, h.what, h.mend)
			return
		}
	}
	ps.add(at, configSyntax, "the file is not YAML from here on", "look for indentation, quotes and brackets here and in the line above")
}

// tabProblems reports every line that is indented by a tab. Lines inside a
// block of text begin no token, and may.
func tabProblems(tokens token.Tokens, src *page, ps *problems) bool {
	found, last := false, 0
	for i, tk := range tokens {
		at := placeOf(tk)
		text := i > 0 && (tokens[i-1].Type == token.LiteralType || tokens[i-1].Type == token.FoldedType)
		if at.line <= last || at.line > len(src.lines) || text || tk.Type == token.InvalidType {
			continue
		}
		last = at.line
		line := src.lines[at.line-1]
		indent := line[:len(line)-len(strings.TrimLeft(line, " \t"))]
		if n := strings.IndexByte(indent, '\t'); n >= 0 {
			ps.add(place{at.line, n + 1}, configTab, "the line is indented by a tab", "write spaces")
			found = true
		}
	}
	return found
}

type syntaxHint struct{ part, what, mend string }

func syntaxHints() []syntaxHint {
	return []syntaxHint{
		{"end character of", "a quote is not closed", "close it"},
		{"escape character", "an escape inside double quotes is not known", "write \\\\ for a backslash, or use single quotes"},
		{"reserved character", "a value begins with a character that YAML reserves", "put the value in quotes"},
		{"mapping value is not allowed", "a value holds a colon and a space, or a key is indented below a value", "put the value in quotes, or mend the indentation"},
		{"',' or '}'", "a { is not closed, or a comma is missing", "write } or a comma"},
		{"',' or ']'", "a [ is not closed, or a comma is missing", "write ] or a comma"},
		{"end token '}'", "a { is not closed", "write }"},
		{"end token ']'", "a [ is not closed", "write ]"},
		{"corresponding to ']'", "a ] closes nothing", "remove it, or write [ before"},
		{"corresponding to '}'", "a } closes nothing", "remove it, or write { before"},
		{"sequence element, but found ','", "a comma follows nothing", "remove it"},
		{"non-map value", "this is not key: value", "write a colon and a space behind the key, or mend the indentation"},
		{"unexpected key name", "this is not key: value", "write a colon and a space behind the key"},
		{"implicit line break", "a key goes over the end of its line", "write key: value on one line"},
		{"sequence entries are not allowed", "a list begins where it cannot", "begin it on the next line"},
		{"alias", "an alias names no anchor", "put a value that begins with * in quotes, such as \"*.*\""},
		{"anchor", "an anchor stands where it cannot", "put a value that begins with & in quotes"},
		{"directive", "a value begins with %", "put the value in quotes"},
		{"tag", "a tag stands where it cannot", "put a value that begins with ! in quotes"},
		{"indent", "the indentation of this text is not even", "indent every line alike"},
		{"previous", "the indentation does not fit the lines above", "indent every key of a mapping alike"},
	}
}

// converter turns the library's tree into nodes.
type converter struct {
	ps      *problems
	anchors map[string]ast.Node
	nodes   int
}

// convertFile gives the root of the one document, or nil with problems.
func convertFile(file *ast.File, ps *problems) *node {
	before := len(ps.list)
	var bodies []ast.Node
	for _, d := range file.Docs {
		if d.Body != nil && d.Body.Type() != ast.CommentType {
			bodies = append(bodies, d.Body)
		}
	}
	switch {
	case len(bodies) == 0:
		ps.add(place{1, 1}, emptyValue, "the file is empty", "write name and sources; `evert init URL` writes a starter file")
		return nil
	case len(bodies) > 1:
		ps.add(placeOf(bodies[1].GetToken()), configFeature, "the file holds a second document", "remove the --- and what follows it")
		return nil
	}
	c := &converter{ps: ps, anchors: map[string]ast.Node{}}
	root := c.convert(bodies[0], 0)
	if len(ps.list) > before {
		return nil
	}
	return root
}

// convert never gives nil; what it cannot read is reported and becomes nothing.
func (c *converter) convert(n ast.Node, depth int) *node {
	if n == nil {
		return &node{kind: nullNode}
	}
	out := &node{kind: nullNode, at: placeOf(n.GetToken())}
	if c.nodes++; c.nodes > maxNodes || depth > maxDepth {
		if c.nodes <= maxNodes || c.nodes == maxNodes+1 {
			c.ps.add(out.at, configLimit, fmt.Sprintf("the file is nested more than %d deep, or has more than %d values with every alias written out", maxDepth, maxNodes), "write it flatter, and patterns instead of single tables")
		}
		return out
	}
	switch v := n.(type) {
	case *ast.MappingNode:
		c.mapping(out, v.Values, depth)
	case *ast.MappingValueNode:
		c.mapping(out, []*ast.MappingValueNode{v}, depth)
	case *ast.SequenceNode:
		out.kind = sequenceNode
		for _, item := range v.Values {
			out.items = append(out.items, c.convert(item, depth+1))
		}
	case *ast.AnchorNode:
		out = c.convert(v.Value, depth+1)
		c.anchors[nameOf(v.Name)] = v.Value
	case *ast.AliasNode:
		return c.alias(v, out, depth)
	case *ast.LiteralNode:
		out.kind, out.text, out.block = scalarNode, v.Value.Value, v.Start.Type == token.LiteralType
	case *ast.NullNode:
		out.plain = v.Token.Type != token.ImplicitNullType
	case ast.ScalarNode:
		c.scalar(v, out)
	default:
		c.ps.add(out.at, configFeature, "this feature of YAML is not read", "write the value out")
	}
	return out
}

// scalar takes the text as it stands in the file, whatever YAML takes it for.
func (c *converter) scalar(n ast.ScalarNode, out *node) {
	if _, ok := n.(*ast.TagNode); ok {
		c.ps.add(out.at, configFeature, "tags are not read", "remove the tag; put a value that begins with ! in quotes")
		return
	}
	tk := n.GetToken()
	out.kind, out.text, out.yaml = scalarNode, tk.Value, tk.Type
	out.plain = tk.Type != token.SingleQuoteType && tk.Type != token.DoubleQuoteType
}

func (c *converter) alias(n *ast.AliasNode, out *node, depth int) *node {
	target, ok := c.anchors[nameOf(n.Value)]
	if !ok {
		c.ps.add(out.at, configSyntax, "an alias names no anchor above it", "put a value that begins with * in quotes, such as \"*.*\"")
		return out
	}
	return c.convert(target, depth+1)
}

func nameOf(n ast.Node) string {
	if n == nil || n.GetToken() == nil {
		return ""
	}
	return n.GetToken().Value
}

func (c *converter) mapping(out *node, values []*ast.MappingValueNode, depth int) {
	out.kind = mappingNode
	for i, v := range values {
		at := placeOf(v.Key.GetToken())
		if i == 0 && out.at.line > 0 && out.at != at && nameOf(v) == ":" {
			out.at = at // a block mapping begins at its first key
		}
		key, ok := c.key(v.Key, at)
		value := c.convert(v.Value, depth+1)
		if !ok {
			continue
		}
		_, null := v.Value.(*ast.NullNode)
		bare := null && v.Start != nil && v.Start.Type != token.MappingValueType
		out.entries = append(out.entries, entry{key, at, bare, value})
	}
}

func (c *converter) key(k ast.MapKeyNode, at place) (string, bool) {
	switch v := k.(type) {
	case *ast.StringNode:
		return v.Value, true
	case *ast.MergeKeyNode:
		c.ps.add(at, configFeature, "merge keys (<<) are not read", "write the keys out, or alias the whole value")
	default:
		c.ps.add(at, configFeature, "the key is not a word", "put it in quotes")
	}
	return "", false
}
