package qdranttest

import (
	"slices"
	"strings"

	"github.com/qdrant/go-client/qdrant"
)

// A step is one key on the way into a payload; each goes into the elements of the list there.
type step struct {
	key  string
	each bool
}

// steps reads a path such as meta.tags[] or "a key.with a dot".x.
// https://qdrant.tech/documentation/concepts/filtering/#nested-key
func steps(path string) []step {
	var list []step
	for path != "" {
		var key string
		if rest, quoted := strings.CutPrefix(path, `"`); quoted {
			key, path, _ = strings.Cut(rest, `"`)
		} else {
			n := strings.IndexAny(path, ".[")
			if n < 0 {
				n = len(path)
			}
			key, path = path[:n], path[n:]
		}
		rest, each := strings.CutPrefix(path, "[]")
		list = append(list, step{key, each})
		path = strings.TrimPrefix(rest, ".")
	}
	return list
}

// at is what a payload holds under a path. A list on the way is entered only where the path
// says so.
func at(payload map[string]*qdrant.Value, path string) []*qdrant.Value {
	return walk(payload, steps(path))
}

func walk(fields map[string]*qdrant.Value, path []step) []*qdrant.Value {
	if len(path) == 0 || fields[path[0].key] == nil {
		return nil
	}
	found := []*qdrant.Value{fields[path[0].key]}
	if path[0].each {
		found = slices.Clone(found[0].GetListValue().GetValues())
	}
	if len(path) == 1 {
		return found
	}
	var deep []*qdrant.Value
	for _, v := range found {
		deep = append(deep, walk(v.GetStructValue().GetFields(), path[1:])...)
	}
	return deep
}

// values are what a condition on a path is held against: a list counts as its elements.
func values(payload map[string]*qdrant.Value, path string) []*qdrant.Value {
	var flat []*qdrant.Value
	for _, v := range at(payload, path) {
		if list, ok := v.GetKind().(*qdrant.Value_ListValue); ok {
			flat = append(flat, list.ListValue.GetValues()...)
		} else {
			flat = append(flat, v)
		}
	}
	return flat
}

// empty holds where there is nothing: no key, null or an empty list. A list of nulls is
// something.
func empty(p *point, path string) bool {
	return !slices.ContainsFunc(at(p.payload, path), func(v *qdrant.Value) bool {
		list, isList := v.GetKind().(*qdrant.Value_ListValue)
		return !isNull(v) && (!isList || len(list.ListValue.GetValues()) > 0)
	})
}

// null holds where the key is there and says null.
func null(p *point, path string) bool { return slices.ContainsFunc(values(p.payload, path), isNull) }

func isNull(v *qdrant.Value) bool {
	_, ok := v.GetKind().(*qdrant.Value_NullValue)
	return ok
}
