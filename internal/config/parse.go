package config

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"
	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	yamlparser "github.com/goccy/go-yaml/parser"
)

// parser walks the syntax tree of a settings file, so that each problem can name
// its line. It takes the plain part of YAML only: no anchors, tags or merges.
type parser struct {
	// fixed
	file     string
	flags    map[string]*kong.Flag // by key
	commands map[string]bool       // keys that hold further keys
	keys     []string              // of flags, in order, for suggestions

	// result
	values   map[*kong.Flag]any
	problems Problems
}

func (p *parser) add(s setting) {
	p.flags[s.key()] = s.flag
	p.keys = append(p.keys, s.key())
	for i := range s.command {
		p.commands[strings.Join(s.command[:i+1], ".")] = true
	}
}

func (p *parser) problem(node ast.Node, format string, args ...any) {
	p.problemAt(node.GetToken().Position.Line, format, args...)
}

func (p *parser) problemAt(line int, format string, args ...any) {
	p.problems = append(p.problems, fmt.Errorf("%s: line %d: %w", p.file, line, fmt.Errorf(format, args...)))
}

func (p *parser) parse(text []byte) {
	tree, err := yamlparser.ParseBytes(text, 0)
	if err != nil {
		line, message := 1, err.Error()
		if at := yaml.Error(nil); errors.As(err, &at) {
			message = at.GetMessage()
			if at.GetToken() != nil {
				line = at.GetToken().Position.Line
			}
		}
		p.problemAt(line, "this is not YAML: %s", message)
		return
	}
	documents := 0
	for _, doc := range tree.Docs {
		if doc.Body == nil {
			continue
		}
		if documents++; documents > 1 {
			p.problem(doc.Body, "a second document begins: a settings file has one")
			return
		}
		p.mapping("", doc.Body)
	}
}

// mapping takes the keys below prefix, which is empty or ends in a dot.
func (p *parser) mapping(prefix string, node ast.Node) {
	var pairs []*ast.MappingValueNode
	switch node := node.(type) {
	case *ast.NullNode, *ast.CommentGroupNode: // a command with nothing set
	case *ast.MappingNode:
		pairs = node.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{node}
	default:
		where := "the file"
		if prefix != "" {
			where = strings.TrimSuffix(prefix, ".")
		}
		p.problem(node, "%s must hold settings as key: value, not %s", where, kindOf(node))
	}
	for _, pair := range pairs {
		word, ok := pair.Key.(*ast.StringNode)
		if !ok {
			p.problem(pair.Key, "a key must be a plain word, not %s", clip(pair.Key.GetToken().Value))
			continue
		}
		key := prefix + word.Value
		flag := p.flags[key]
		switch {
		case p.commands[key]:
			p.mapping(key+".", pair.Value)
		case flag != nil:
			p.value(key, flag, pair.Value)
		default:
			p.problem(pair.Key, "unknown key %s: %s", clip(key), p.suggest(key))
		}
	}
}

// value checks one setting by the very decoder that the flag has.
func (p *parser) value(key string, flag *kong.Flag, node ast.Node) {
	token, err := tokenFor(flag, node)
	if err != nil {
		p.problem(node, "%s: %w", key, err)
		return
	}
	target := reflect.New(flag.Target.Type()).Elem()
	scan := kong.Scan().PushTyped(token, kong.FlagValueToken)
	if err := flag.Mapper.Decode(&kong.DecodeContext{Value: flag.Value, Scan: scan}, target); err != nil {
		p.problem(node, "%s: %w", key, err)
		return
	}
	if flag.Enum != "" {
		given := []string{fmt.Sprint(target)}
		if flag.IsSlice() {
			given = given[:0]
			for i := range target.Len() {
				given = append(given, fmt.Sprint(target.Index(i)))
			}
		}
		for _, one := range given {
			if !slices.Contains(flag.EnumSlice(), one) {
				p.problem(node, "%s: %q is none of %s", key, clip(one), strings.Join(flag.EnumSlice(), ", "))
				return
			}
		}
	}
	p.values[flag] = token
}

// tokenFor makes of a YAML value what kong's decoder of the flag takes.
func tokenFor(flag *kong.Flag, node ast.Node) (any, error) {
	typ := flag.Target.Type()
	if typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	if flag.IsMap() {
		return mapFor(typ.Elem(), node)
	}
	if !flag.IsSlice() {
		return scalarFor(typ, node)
	}
	list, ok := node.(*ast.SequenceNode)
	if !ok {
		return nil, fmt.Errorf("want a list such as [a, b], got %s", kindOf(node))
	}
	items := make([]any, 0, len(list.Values))
	for _, item := range list.Values {
		one, err := scalarFor(typ.Elem(), item)
		if err != nil {
			return nil, err
		}
		items = append(items, one)
	}
	if typ.Elem().Kind() == reflect.String || flag.Tag.Sep == -1 {
		return items, nil
	}
	// Elements that are not plain text go through the decoder of the flag's own
	// notation, which knows durations and the like.
	words := make([]string, 0, len(items))
	sep := string(flag.Tag.Sep)
	for _, item := range items {
		words = append(words, strings.ReplaceAll(fmt.Sprint(item), sep, `\`+sep))
	}
	return strings.Join(words, sep), nil
}

// mapFor gives the entries of a flag that holds name=value pairs.
func mapFor(typ reflect.Type, node ast.Node) (any, error) {
	entries, ok := node.(*ast.MappingNode)
	if !ok {
		return nil, fmt.Errorf("want a map such as {name: value}, got %s", kindOf(node))
	}
	values := make(map[string]any, len(entries.Values))
	for _, entry := range entries.Values {
		value, err := scalarFor(typ, entry.Value)
		if err != nil {
			return nil, err
		}
		values[entry.Key.GetToken().Value] = value
	}
	return values, nil
}

// scalarFor gives a value's text, if its kind is the one that typ wants. Nothing
// is converted in silence: a name that looks like a number must be quoted.
func scalarFor(typ reflect.Type, node ast.Node) (any, error) {
	want := "text"
	switch {
	case typ == reflect.TypeFor[time.Duration]():
		want = "a duration such as 30s"
		if text, ok := node.(*ast.StringNode); ok {
			return text.Value, nil
		}
	case typ.Kind() == reflect.Bool:
		want = "true or false"
		if b, ok := node.(*ast.BoolNode); ok {
			return fmt.Sprint(b.Value), nil
		}
	case typ.Kind() >= reflect.Int && typ.Kind() <= reflect.Uint64:
		want = "a whole number"
		if n, ok := node.(*ast.IntegerNode); ok {
			return fmt.Sprint(n.Value), nil
		}
	case typ.Kind() == reflect.Float32 || typ.Kind() == reflect.Float64:
		want = "a number"
		switch n := node.(type) {
		case *ast.IntegerNode:
			return fmt.Sprint(n.Value), nil
		case *ast.FloatNode:
			return fmt.Sprint(n.Value), nil
		}
	default:
		switch text := node.(type) {
		case *ast.StringNode:
			return text.Value, nil
		case *ast.LiteralNode:
			return text.Value.Value, nil
		case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
			return nil, fmt.Errorf("want text, got %s: put it in quotes", kindOf(node))
		}
	}
	return nil, fmt.Errorf("want %s, got %s", want, kindOf(node))
}

// kindOf names a YAML value for a message.
func kindOf(node ast.Node) string {
	value := clip(node.GetToken().Value)
	switch node := node.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a map"
	case *ast.SequenceNode:
		return "a list"
	case *ast.NullNode:
		return "nothing"
	case *ast.BoolNode, *ast.IntegerNode, *ast.FloatNode:
		return value
	case *ast.StringNode:
		return fmt.Sprintf("%q", clip(node.Value))
	default:
		return "something that a settings file can't have: " + value
	}
}

// clip shortens a stranger's text for a message.
func clip(s string) string {
	if len(s) <= 80 {
		return s
	}
	return strings.ToValidUTF8(s[:80], "") + "…"
}
