package main

import (
	"strconv"

	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// visit gets an attribute's path from its resource type on, its schema and its
// value, and returns the value that is to stand there.
type visit func(path string, a attribute, v tftypes.Value) tftypes.Value

// walk rebuilds a block's value from what f makes of its attributes. What is null
// or unknown as a whole stays so.
func walk(b block, v tftypes.Value, path string, f visit) tftypes.Value {
	var fields map[string]tftypes.Value
	if v.IsNull() || !v.IsKnown() || v.As(&fields) != nil {
		return v
	}
	out := make(map[string]tftypes.Value, len(fields))
	for name, x := range fields {
		at := path + "." + name
		if a, ok := b.Attributes[name]; ok {
			out[name] = f(at, a, x)
			continue
		}
		out[name] = walkNested(b.Blocks[name], x, at, f)
	}
	return tftypes.NewValue(v.Type(), out)
}

func walkNested(n nested, v tftypes.Value, path string, f visit) tftypes.Value {
	if n.Mode == "single" {
		return walk(n.Block, v, path, f)
	}
	var items []tftypes.Value
	if v.IsNull() || !v.IsKnown() || v.As(&items) != nil {
		return v
	}
	out := make([]tftypes.Value, len(items))
	for i, item := range items {
		out[i] = walk(n.Block, item, path+"."+strconv.Itoa(i), f)
	}
	return tftypes.NewValue(v.Type(), out)
}
