package qdranttest

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"testing"

	"github.com/qdrant/go-client/qdrant"
)

func num(v any) any {
	switch x := v.(type) {
	case json.Number:
		if n, err := x.Int64(); err == nil && !bytes.ContainsAny([]byte(x), ".e") {
			return n
		}
		f, _ := x.Float64()
		return f
	case map[string]any:
		for k := range x {
			x[k] = num(x[k])
		}
	case []any:
		for k := range x {
			x[k] = num(x[k])
		}
	}
	return v
}

func strs(v any) (l []string) {
	for _, x := range v.([]any) {
		l = append(l, x.(string))
	}
	return l
}
func ints(v any) (l []int64) {
	for _, x := range v.([]any) {
		l = append(l, x.(int64))
	}
	return l
}

func zcond(j map[string]any) *qdrant.Condition {
	for kind, v := range j {
		if kind == "filter" {
			return qdrant.NewFilterAsCondition(zfilter(v.(map[string]any)))
		}
		l := v.([]any)
		switch kind {
		case "hasid":
			var ids []*qdrant.PointId
			for _, n := range l {
				ids = append(ids, qdrant.NewIDUUID(uuid(int(n.(int64)))))
			}
			return qdrant.NewHasID(ids...)
		}
		k := l[0].(string)
		switch kind {
		case "kw":
			return qdrant.NewMatch(k, l[1].(string))
		case "int":
			return qdrant.NewMatchInt(k, l[1].(int64))
		case "bool":
			return qdrant.NewMatchBool(k, l[1].(bool))
		case "any":
			return qdrant.NewMatchKeywords(k, strs(l[1])...)
		case "except":
			return qdrant.NewMatchExcept(k, strs(l[1])...)
		case "exceptint":
			return qdrant.NewMatchExceptInts(k, ints(l[1])...)
		case "isempty":
			return qdrant.NewIsEmpty(k)
		case "isnull":
			return qdrant.NewIsNull(k)
		case "range":
			r := &qdrant.Range{}
			for o, x := range l[1].(map[string]any) {
				f, ok := x.(float64)
				if !ok {
					f = float64(x.(int64))
				}
				switch o {
				case "lt":
					r.Lt = &f
				case "lte":
					r.Lte = &f
				case "gt":
					r.Gt = &f
				case "gte":
					r.Gte = &f
				}
			}
			return qdrant.NewRange(k, r)
		}
	}
	panic(j)
}
func zlist(v any) (l []*qdrant.Condition) {
	if v == nil {
		return nil
	}
	for _, x := range v.([]any) {
		l = append(l, zcond(x.(map[string]any)))
	}
	return l
}
func zfilter(j map[string]any) *qdrant.Filter {
	f := &qdrant.Filter{Must: zlist(j["must"]), Should: zlist(j["should"]), MustNot: zlist(j["must_not"])}
	if m, ok := j["min_should"].([]any); ok {
		f.MinShould = &qdrant.MinShould{MinCount: uint64(m[0].(int64)), Conditions: zlist(m[1])}
	}
	return f
}

func TestZDiff(t *testing.T) {
	raw, err := os.ReadFile("/tmp/qexp/diff.json")
	if err != nil {
		t.Skip()
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var data map[string]any
	if err := d.Decode(&data); err != nil {
		t.Fatal(err)
	}
	num(data)
	pts := map[int]*point{}
	for i, p := range data["points"].([]any) {
		pts[i] = &point{payload: qdrant.NewValueMap(p.(map[string]any))}
	}
	bad := 0
	for _, c := range data["cases"].([]any) {
		c := c.([]any)
		f := zfilter(c[0].(map[string]any))
		tst, err := compile(f)
		if err != nil {
			t.Fatal(err)
		}
		var got []int64
		for i := range len(pts) {
			a, _ := parseUUID(uuid(i))
			if tst(a, pts[i]) {
				got = append(got, int64(i))
			}
		}
		if want := ints(c[1]); !slices.Equal(got, want) {
			bad++
			if bad < 8 {
				j, _ := json.Marshal(c[0])
				t.Errorf("%s\n got %v\nwant %v", j, got, want)
				for _, i := range got {
					if !slices.Contains(want, i) {
						t.Log("extra", i, data["points"].([]any)[i])
					}
				}
				for _, i := range want {
					if !slices.Contains(got, i) {
						t.Log("lacks", i, data["points"].([]any)[i])
					}
				}
			}
		}
	}
	t.Log("bad", bad)
}
