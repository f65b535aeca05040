package main

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

var simpleTypes = map[string]tftypes.Type{"string": tftypes.String, "number": tftypes.Number, "bool": tftypes.Bool}

// readType reads a type as `terraform providers schema -json` has it: a name, or
// ["list", type], ["set", type], ["map", type], ["object", {name: type}].
func readType(text json.RawMessage) (tftypes.Type, error) {
	var name string
	if json.Unmarshal(text, &name) == nil {
		if t, ok := simpleTypes[name]; ok {
			return t, nil
		}
		return nil, fmt.Errorf("the type %q is not known", name)
	}
	var parts []json.RawMessage
	if err := json.Unmarshal(text, &parts); err != nil {
		return nil, fmt.Errorf("a type: %w", err)
	}
	if len(parts) != 2 || json.Unmarshal(parts[0], &name) != nil {
		return nil, errors.New("a type is neither a name nor a kind and what it is of")
	}
	if name == "object" {
		return readObject(parts[1])
	}
	of, err := readType(parts[1])
	if err != nil {
		return nil, err
	}
	switch name {
	case "list":
		return tftypes.List{ElementType: of}, nil
	case "set":
		return tftypes.Set{ElementType: of}, nil
	case "map":
		return tftypes.Map{ElementType: of}, nil
	}
	return nil, fmt.Errorf("the kind of type %q is not known", name)
}

func readObject(text json.RawMessage) (tftypes.Type, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(text, &fields); err != nil {
		return nil, fmt.Errorf("an object's type: %w", err)
	}
	types := make(map[string]tftypes.Type, len(fields))
	for name, field := range fields {
		t, err := readType(field)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		types[name] = t
	}
	return tftypes.Object{AttributeTypes: types}, nil
}
