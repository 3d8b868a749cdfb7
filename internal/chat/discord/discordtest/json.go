package discordtest

import (
	"encoding/json"
	"maps"
	"slices"
)

// Loose JSON, as requests are: what is missing or of another type is empty. Numbers are
// json.Number.

func text(v any) string {
	s, _ := v.(string)
	return s
}

func number(v any) int64 {
	switch v := v.(type) {
	case json.Number:
		n, _ := v.Int64()
		return n
	case int:
		return int64(v)
	case int64:
		return v
	case float64:
		return int64(v)
	}
	return 0
}

func truth(v any) bool {
	b, _ := v.(bool)
	return b
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

func texts(v any) []string {
	var all []string
	for _, e := range list(v) {
		all = append(all, text(e))
	}
	return all
}

func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // everything here is made of maps, slices, strings, numbers and booleans
	}
	return b
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func or(s, otherwise string) string {
	if s != "" {
		return s
	}
	return otherwise
}
