package main

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/hashicorp/terraform-plugin-go/tfprotov5"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// schemaFiles has a file for each resource type and data source, and one for the
// provider itself; README.md says where they come from.
//
//go:embed schema
var schemaFiles embed.FS

// schemas are those of all types, never modified.
type schemas struct {
	provider  block
	resources map[string]block
	data      map[string]block
}

// block is a block as `terraform providers schema -json` has it.
type block struct {
	Attributes map[string]attribute `json:"attributes"`
	Blocks     map[string]nested    `json:"block_types"`
}

type attribute struct {
	Type      json.RawMessage `json:"type"`
	Required  bool            `json:"required"`
	Optional  bool            `json:"optional"`
	Computed  bool            `json:"computed"`
	Sensitive bool            `json:"sensitive"`
}

type nested struct {
	Mode  string `json:"nesting_mode"` // single, list or set
	Min   int64  `json:"min_items"`
	Max   int64  `json:"max_items"`
	Block block  `json:"block"`
}

func loadSchemas() (*schemas, error) {
	s := &schemas{resources: map[string]block{}, data: map[string]block{}}
	err := fs.WalkDir(schemaFiles, "schema", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := schemaFiles.ReadFile(file)
		if err != nil {
			return err
		}
		var b block
		if err := json.Unmarshal(text, &b); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		if _, err := b.proto(); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		name := strings.TrimSuffix(path.Base(file), ".json")
		switch path.Base(path.Dir(file)) {
		case "resources":
			s.resources[name] = b
		case "data":
			s.data[name] = b
		default:
			s.provider = b
		}
		return nil
	})
	return s, err
}

var modes = map[string]tfprotov5.SchemaNestedBlockNestingMode{
	"single": tfprotov5.SchemaNestedBlockNestingModeSingle,
	"list":   tfprotov5.SchemaNestedBlockNestingModeList,
	"set":    tfprotov5.SchemaNestedBlockNestingModeSet,
}

// proto is the block as Terraform wants to be told of it.
func (b block) proto() (*tfprotov5.SchemaBlock, error) {
	out := &tfprotov5.SchemaBlock{}
	for name, a := range b.Attributes {
		t, err := readType(a.Type)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out.Attributes = append(out.Attributes, &tfprotov5.SchemaAttribute{
			Name: name, Type: t, Required: a.Required, Optional: a.Optional, Computed: a.Computed, Sensitive: a.Sensitive,
		})
	}
	for name, n := range b.Blocks {
		inner, err := n.Block.proto()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		mode, ok := modes[n.Mode]
		if !ok {
			return nil, fmt.Errorf("%s: nesting mode %q is not known", name, n.Mode)
		}
		out.BlockTypes = append(out.BlockTypes, &tfprotov5.SchemaNestedBlock{
			TypeName: name, Block: inner, Nesting: mode, MinItems: n.Min, MaxItems: n.Max,
		})
	}
	return out, nil
}

// schema is the block as a whole schema. Its types were read before.
func (b block) schema() *tfprotov5.Schema {
	inner, err := b.proto()
	if err != nil {
		inner = &tfprotov5.SchemaBlock{}
	}
	return &tfprotov5.Schema{Block: inner}
}

func (b block) valueType() tftypes.Type { return b.schema().ValueType() }
