package config

import (
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

const (
	// maxFileBytes is far more than any configuration needs; it keeps a wrong path from filling the memory.
	maxFileBytes = 1 << 20
	// maxDepth is deeper than the schema goes.
	maxDepth = 8
)

// kind is what a value looks like, before anybody asks for it.
type kind uint8

const (
	kindNone kind = iota // nothing stands behind the colon
	kindBool
	kindInteger
	kindFloat
	kindText
	kindList
	kindMapping
)

func (k kind) String() string {
	return [...]string{"nothing", "true or false", "a whole number", "a number", "text", "a list", "keys with values"}[k]
}

// value is one node of a configuration, wherever it comes from.
type value struct {
	at     place
	kind   kind
	text   string   // of scalars, as written
	list   []*value // kindList
	fields []field  // kindMapping
}

// field is one key of a mapping.
type field struct {
	key   string
	at    place
	value *value
}

// parseTree reads YAML. Where the text is no YAML, or uses parts of it that hide what is set (anchors, aliases, tags,
// several documents), it notes a problem, and returns nil if there is nothing to go on with.
func parseTree(name string, data []byte, ps *problems) *value {
	if len(data) > maxFileBytes {
		ps.add(place{name: name}, "", "the file has %d bytes: at most %d are allowed", len(data), maxFileBytes)
		return nil
	}
	file, err := parser.ParseBytes(data, 0)
	if err != nil {
		addSyntax(name, err, ps)
		return nil
	}
	t := tree{name: name, problems: ps}
	var root *value
	for _, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		v := t.value(doc.Body, 0)
		if root != nil {
			ps.add(v.at, "", "a second YAML document: expected one")
			break
		}
		root = v
	}
	if root == nil {
		root = &value{at: place{name, 1, 1}}
	}
	return root
}

// addSyntax takes the message and the place from the parser's error, but not its excerpt of the file, which may show a
// secret.
func addSyntax(name string, err error, ps *problems) {
	at, message := place{name: name}, "the file is not YAML"
	if syntax, ok := errors.AsType[yaml.Error](err); ok {
		message = "the file is not YAML: " + syntax.GetMessage()
		at = tokenPlace(name, syntax.GetToken())
	}
	ps.add(at, "", "%s", message)
}

func tokenPlace(name string, tk *token.Token) place {
	if tk == nil || tk.Position == nil {
		return place{name: name}
	}
	return place{name, tk.Position.Line, tk.Position.Column}
}

// tree turns the parser's nodes into values.
type tree struct {
	name     string
	problems *problems
}

func (t *tree) at(node ast.Node) place { return tokenPlace(t.name, node.GetToken()) }

func (t *tree) value(node ast.Node, depth int) *value {
	v := &value{at: t.at(node)}
	if depth > maxDepth {
		t.problems.add(v.at, "", "nested deeper than %d levels", maxDepth)
		return v
	}
	switch n := node.(type) {
	case *ast.NullNode, *ast.CommentGroupNode:
	case *ast.BoolNode:
		v.kind, v.text = kindBool, fmt.Sprint(n.Value)
	case *ast.IntegerNode:
		v.kind, v.text = kindInteger, fmt.Sprint(n.Value)
	case *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		v.kind, v.text = kindFloat, n.GetToken().Value
	case *ast.StringNode:
		v.kind, v.text = kindText, n.Value
	case *ast.LiteralNode:
		v.kind = kindText
		if n.Value != nil {
			v.text = n.Value.Value
		}
	case *ast.SequenceNode:
		v.kind = kindList
		for _, item := range n.Values {
			v.list = append(v.list, t.value(item, depth+1))
		}
	case *ast.MappingNode:
		t.mapping(v, n.Values, depth)
	case *ast.MappingValueNode:
		t.mapping(v, []*ast.MappingValueNode{n}, depth)
	default:
		t.problems.add(v.at, "", "%s is not supported: write the value itself", strings.ToLower(node.Type().String()))
	}
	return v
}

// mapping starts at its first key; the parser gives the place of the first colon where there is no brace.
func (t *tree) mapping(v *value, pairs []*ast.MappingValueNode, depth int) {
	v.kind = kindMapping
	for _, pair := range pairs {
		v.fields = append(v.fields, t.field(pair, depth))
	}
	if len(v.fields) > 0 {
		v.at = v.fields[0].at
	}
}

func (t *tree) field(pair *ast.MappingValueNode, depth int) field {
	f := field{at: t.at(pair.Key)}
	switch key := pair.Key.(type) {
	case *ast.StringNode:
		f.key = key.Value
	case *ast.MergeKeyNode:
		f.key = "<<"
	default:
		f.key = key.GetToken().Value
	}
	f.value = t.value(pair.Value, depth+1)
	return f
}
