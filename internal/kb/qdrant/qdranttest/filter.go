package qdranttest

import (
	"slices"
	"strings"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// A test says whether a point is what a filter asks for.
type test func(id, *point) bool

func always(id, *point) bool { return true }

// compile makes a test of a filter. https://qdrant.tech/documentation/concepts/filtering/
func compile(f *qdrant.Filter) (test, error) {
	if f == nil {
		return always, nil
	}
	must, err := compileAll(f.Must)
	if err != nil {
		return nil, err
	}
	should, err := compileAll(f.Should)
	if err != nil {
		return nil, err
	}
	not, err := compileAll(f.MustNot)
	if err != nil {
		return nil, err
	}
	some, err := compileAll(f.GetMinShould().GetConditions())
	if err != nil {
		return nil, err
	}
	least := int(f.GetMinShould().GetMinCount())
	return func(a id, p *point) bool {
		return passed(must, a, p) == len(must) && passed(not, a, p) == 0 &&
			(len(should) == 0 || passed(should, a, p) > 0) && passed(some, a, p) >= least
	}, nil
}

// passed counts the tests that hold.
func passed(tests []test, a id, p *point) int {
	n := 0
	for _, t := range tests {
		if t(a, p) {
			n++
		}
	}
	return n
}

func compileAll(conditions []*qdrant.Condition) ([]test, error) {
	tests := make([]test, len(conditions))
	for i, c := range conditions {
		var err error
		if tests[i], err = compileOne(c); err != nil {
			return nil, err
		}
	}
	return tests, nil
}

func compileOne(c *qdrant.Condition) (test, error) {
	switch v := c.GetConditionOneOf().(type) {
	case *qdrant.Condition_Filter:
		return compile(v.Filter)
	case *qdrant.Condition_HasId:
		ids, err := readIDs(v.HasId.GetHasId())
		return func(a id, _ *point) bool { return slices.Contains(ids, a) }, err
	case *qdrant.Condition_IsEmpty:
		return func(_ id, p *point) bool { return empty(p, v.IsEmpty.GetKey()) }, nil
	case *qdrant.Condition_IsNull:
		return func(_ id, p *point) bool { return null(p, v.IsNull.GetKey()) }, nil
	case *qdrant.Condition_Field:
		return compileField(v.Field)
	}
	return nil, status.Errorf(codes.Unimplemented, "qdranttest: a condition of type %T", c.GetConditionOneOf())
}

func compileField(f *qdrant.FieldCondition) (test, error) {
	var holds func(*qdrant.Value) bool
	switch {
	case f.Match != nil:
		var err error
		if holds, err = compileMatch(f.Match); err != nil {
			return nil, err
		}
	case f.Range != nil:
		holds = func(v *qdrant.Value) bool { return within(f.Range, v) }
	case f.IsEmpty != nil:
		return func(_ id, p *point) bool { return empty(p, f.Key) == f.GetIsEmpty() }, nil
	case f.IsNull != nil:
		return func(_ id, p *point) bool { return null(p, f.Key) == f.GetIsNull() }, nil
	default:
		return nil, status.Errorf(codes.Unimplemented, "qdranttest: the condition on %s", f.Key)
	}
	return func(_ id, p *point) bool { return slices.ContainsFunc(values(p.payload, f.Key), holds) }, nil
}

// compileMatch makes a test of one value. A number with a fraction of zero is no integer.
func compileMatch(m *qdrant.Match) (func(*qdrant.Value) bool, error) {
	switch v := m.GetMatchValue().(type) {
	case *qdrant.Match_Keyword:
		return isString(v.Keyword), nil
	case *qdrant.Match_Keywords:
		return isString(v.Keywords.GetStrings()...), nil
	case *qdrant.Match_ExceptKeywords:
		is := isString(v.ExceptKeywords.GetStrings()...)
		return func(v *qdrant.Value) bool { return !is(v) }, nil
	case *qdrant.Match_Integer:
		return isInteger(v.Integer), nil
	case *qdrant.Match_Integers:
		return isInteger(v.Integers.GetIntegers()...), nil
	case *qdrant.Match_ExceptIntegers:
		is := isInteger(v.ExceptIntegers.GetIntegers()...)
		return func(v *qdrant.Value) bool { return !is(v) }, nil
	case *qdrant.Match_Boolean:
		return func(x *qdrant.Value) bool {
			b, ok := x.GetKind().(*qdrant.Value_BoolValue)
			return ok && b.BoolValue == v.Boolean
		}, nil
	}
	return nil, status.Errorf(codes.Unimplemented, "qdranttest: a match of type %T", m.GetMatchValue())
}

func isString(any ...string) func(*qdrant.Value) bool {
	return func(v *qdrant.Value) bool {
		s, ok := v.GetKind().(*qdrant.Value_StringValue)
		return ok && slices.Contains(any, s.StringValue)
	}
}

func isInteger(any ...int64) func(*qdrant.Value) bool {
	return func(v *qdrant.Value) bool {
		n, ok := v.GetKind().(*qdrant.Value_IntegerValue)
		return ok && slices.Contains(any, n.IntegerValue)
	}
}

func within(r *qdrant.Range, v *qdrant.Value) bool {
	var x float64
	switch n := v.GetKind().(type) {
	case *qdrant.Value_IntegerValue:
		x = float64(n.IntegerValue)
	case *qdrant.Value_DoubleValue:
		x = n.DoubleValue
	default:
		return false
	}
	return (r.Lt == nil || x < *r.Lt) && (r.Lte == nil || x <= *r.Lte) && (r.Gt == nil || x > *r.Gt) && (r.Gte == nil || x >= *r.Gte)
}

// empty holds where there is no value: no key, null or an empty list.
func empty(p *point, key string) bool {
	return !slices.ContainsFunc(values(p.payload, key), func(v *qdrant.Value) bool { return !isNull(v) })
}

// null holds where the key is there and says null.
func null(p *point, key string) bool { return slices.ContainsFunc(values(p.payload, key), isNull) }

func isNull(v *qdrant.Value) bool {
	_, ok := v.GetKind().(*qdrant.Value_NullValue)
	return ok
}

// values are what a payload holds under a path such as "doc" or "meta.tags[]"; a list at the
// end of the path counts as its elements.
func values(payload map[string]*qdrant.Value, path string) []*qdrant.Value {
	name, rest, nested := strings.Cut(path, ".")
	found := elements(payload[strings.TrimSuffix(name, "[]")])
	if !nested {
		return found
	}
	var deep []*qdrant.Value
	for _, v := range found {
		deep = append(deep, values(v.GetStructValue().GetFields(), rest)...)
	}
	return deep
}

func elements(v *qdrant.Value) []*qdrant.Value {
	if v == nil {
		return nil
	}
	if list, ok := v.GetKind().(*qdrant.Value_ListValue); ok {
		return list.ListValue.GetValues()
	}
	return []*qdrant.Value{v}
}

// keys are the payload keys on which a filter depends.
func keys(f *qdrant.Filter) []string {
	var found []string
	for _, c := range slices.Concat(f.GetMust(), f.GetShould(), f.GetMustNot(), f.GetMinShould().GetConditions()) {
		switch v := c.GetConditionOneOf().(type) {
		case *qdrant.Condition_Filter:
			found = append(found, keys(v.Filter)...)
		case *qdrant.Condition_Field:
			found = append(found, v.Field.GetKey())
		case *qdrant.Condition_IsEmpty:
			found = append(found, v.IsEmpty.GetKey())
		case *qdrant.Condition_IsNull:
			found = append(found, v.IsNull.GetKey())
		}
	}
	return found
}
