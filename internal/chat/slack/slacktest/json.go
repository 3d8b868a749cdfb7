package slacktest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// Loose JSON, as Slack's payloads are: what is missing or of another type is empty.

func text(v any) string {
	s, _ := v.(string)
	return s
}

func object(v any) map[string]any {
	o, _ := v.(map[string]any)
	return o
}

func list(v any) []any {
	l, _ := v.([]any)
	return l
}

func objects(v any) []map[string]any {
	if all, ok := v.([]map[string]any); ok {
		return all
	}
	var all []map[string]any
	for _, e := range list(v) {
		all = append(all, object(e))
	}
	return all
}

// decode reads one JSON value; an error names it.
func decode(what, from string) (any, error) {
	var v any
	if err := json.Unmarshal([]byte(from), &v); err != nil {
		return nil, fmt.Errorf("%s is not JSON: %w", what, err)
	}
	return v, nil
}

func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // everything here is made of maps, slices, strings, numbers and booleans
	}
	return b
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
