package directory

import (
	"bytes"
	"encoding/json"
	"fmt"

	"selvedge/wire"
)

// mergePatch applies a merge patch to a document, on their JSON twins (RFC 7396,
// section 2): members of the patch replace those of the document, null removes
// one, objects merge. Anything but an object is no patch of a document.
func mergePatch(doc, patch wire.Data) (wire.Data, error) {
	if !patch.IsObject() {
		return nil, ErrNotObject
	}
	target, err := decodeTwin(doc)
	if err != nil {
		return nil, err
	}
	change, err := decodeTwin(patch)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(merge(target, change))
	if err != nil {
		return nil, fmt.Errorf("merge: %w", err)
	}
	merged, err := wire.ParseJSON(text)
	if err != nil {
		return nil, fmt.Errorf("merge: %w", err)
	}
	if len(merged) > wire.MaxData {
		return nil, fmt.Errorf("%w: the document would have %d bytes, at most %d are allowed", wire.ErrTooLarge, len(merged), wire.MaxData)
	}
	return merged, nil
}

// decodeTwin keeps numbers as they are written.
func decodeTwin(d wire.Data) (any, error) {
	text, err := d.MarshalJSON()
	if err != nil {
		return nil, fmt.Errorf("merge: %w", err)
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, fmt.Errorf("merge: %w", err)
	}
	return v, nil
}

// merge is MergePatch of RFC 7396. Data nests wire.MaxDepth deep at most.
func merge(target, patch any) any {
	change, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	object, ok := target.(map[string]any)
	if !ok {
		object = make(map[string]any)
	}
	for name, value := range change {
		if value == nil {
			delete(object, name)
		} else {
			object[name] = merge(object[name], value)
		}
	}
	return object
}
