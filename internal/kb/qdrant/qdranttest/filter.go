package qdranttest

import (
	"slices"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// A test says whether a point is what a filter asks for.
type test func(id, *point) bool

// compile makes a test of a filter; nil and an empty one want nothing. An index is not used:
// Qdrant answers alike with and without, but for a number under a keyword index, or one with
// a fraction under an integer index, which an index does not see.
// https://qdrant.tech/documentation/concepts/filtering/
func compile(f *qdrant.Filter) (test, error) {
	var must, should, not, some []test
	for _, clause := range []struct {
		tests      *[]test
		conditions []*qdrant.Condition
	}{
		{&must, f.GetMust()}, {&should, f.GetShould()}, {&not, f.GetMustNot()}, {&some, f.GetMinShould().GetConditions()},
	} {
		for _, c := range clause.conditions {
			t, err := compileOne(c)
			if err != nil {
				return nil, err
			}
			*clause.tests = append(*clause.tests, t)
		}
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
	switch {
	case f.Match != nil:
		holds, err := compileMatch(f.Match)
		return anyValue(f.Key, holds), err
	case f.Range != nil:
		return anyValue(f.Key, func(v *qdrant.Value) bool { return inRange(f.Range, v) }), nil
	case f.IsEmpty != nil:
		return func(_ id, p *point) bool { return empty(p, f.Key) == f.GetIsEmpty() }, nil
	case f.IsNull != nil:
		return func(_ id, p *point) bool { return null(p, f.Key) == f.GetIsNull() }, nil
	}
	return nil, status.Errorf(codes.Unimplemented, "qdranttest: the condition on %s", f.Key)
}

func anyValue(path string, holds func(*qdrant.Value) bool) test {
	return func(_ id, p *point) bool { return slices.ContainsFunc(values(p.payload, path), holds) }
}

// compileMatch makes a test of one value. Of the values, "except" wants one that is there
// and is none of those.
func compileMatch(m *qdrant.Match) (func(*qdrant.Value) bool, error) {
	switch v := m.GetMatchValue().(type) {
	case *qdrant.Match_Keyword:
		return isString(v.Keyword), nil
	case *qdrant.Match_Keywords:
		return isString(v.Keywords.GetStrings()...), nil
	case *qdrant.Match_ExceptKeywords:
		return except(isString(v.ExceptKeywords.GetStrings()...)), nil
	case *qdrant.Match_Integer:
		return isInteger(v.Integer), nil
	case *qdrant.Match_Integers:
		return isInteger(v.Integers.GetIntegers()...), nil
	case *qdrant.Match_ExceptIntegers:
		return except(isInteger(v.ExceptIntegers.GetIntegers()...)), nil
	case *qdrant.Match_Boolean:
		return isBool(v.Boolean), nil
	}
	return nil, status.Errorf(codes.Unimplemented, "qdranttest: a match of type %T", m.GetMatchValue())
}

func isString(list ...string) func(*qdrant.Value) bool {
	return func(v *qdrant.Value) bool {
		s, ok := v.GetKind().(*qdrant.Value_StringValue)
		return ok && slices.Contains(list, s.StringValue)
	}
}

func isInteger(list ...int64) func(*qdrant.Value) bool {
	return func(v *qdrant.Value) bool {
		n, ok := v.GetKind().(*qdrant.Value_IntegerValue)
		return ok && slices.Contains(list, n.IntegerValue)
	}
}

func isBool(want bool) func(*qdrant.Value) bool {
	return func(v *qdrant.Value) bool {
		b, ok := v.GetKind().(*qdrant.Value_BoolValue)
		return ok && b.BoolValue == want
	}
}

func except(is func(*qdrant.Value) bool) func(*qdrant.Value) bool {
	return func(v *qdrant.Value) bool { return !isNull(v) && !is(v) }
}

func inRange(r *qdrant.Range, v *qdrant.Value) bool {
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
