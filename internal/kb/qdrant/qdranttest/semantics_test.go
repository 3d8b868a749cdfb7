package qdranttest

import (
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"pgregory.net/rapid"
)

// What a filter finds is what Qdrant's own engine (qdrant-edge 0.9.0) found among the same
// points.
func TestFilter(t *testing.T) {
	_, c := begin(t, Options{})
	for n, payload := range []map[string]any{
		0:  {},
		1:  {"doc": "a", "n": 1},
		2:  {"doc": "b", "n": 2},
		3:  {"n": 2.5},
		4:  {"doc": nil},
		5:  {"doc": []any{}},
		6:  {"doc": []any{"a", "c"}, "n": []any{1, 7}},
		7:  {"doc": "", "n": "2"},
		8:  {"doc": 7, "n": 3},
		9:  {"doc": true},
		10: {"m": map[string]any{"doc": "a"}},
		11: {"doc": []any{nil}},
		12: {"m": []any{map[string]any{"doc": "a"}, map[string]any{"doc": "z"}}},
		13: {"doc": "A"},
		14: {"x.y": "a"},
	} {
		put(t, c, numbered(n, payload))
	}
	all := []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14}
	for _, test := range []struct {
		name   string
		filter *qdrant.Filter
		want   []int
	}{
		{"none", nil, all},
		{"empty", &qdrant.Filter{}, all},
		{"keyword", must(qdrant.NewMatchKeyword("doc", "a")), []int{1, 6}},
		{"keywords", must(qdrant.NewMatchKeywords("doc", "a", "b")), []int{1, 2, 6}},
		{"no keywords", must(qdrant.NewMatchKeywords("doc")), nil},
		{"except", must(qdrant.NewMatchExcept("doc", "a")), []int{2, 6, 7, 8, 9, 13}},
		{"not", &qdrant.Filter{MustNot: []*qdrant.Condition{qdrant.NewMatchKeyword("doc", "a")}}, []int{0, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14}},
		{"missing key", must(qdrant.NewMatchKeyword("gone", "a")), nil},
		{"not missing key", &qdrant.Filter{MustNot: []*qdrant.Condition{qdrant.NewMatchKeyword("gone", "a")}}, all},
		{"integer", must(qdrant.NewMatchInt("n", 2)), []int{2}},
		{"integers", must(qdrant.NewMatchInts("n", 2, 7)), []int{2, 6}},
		{"bool", must(qdrant.NewMatchBool("doc", true)), []int{9}},
		{"below", must(qdrant.NewRange("n", &qdrant.Range{Lt: qdrant.PtrOf(2.0)})), []int{1, 6}},
		{"at most", must(qdrant.NewRange("n", &qdrant.Range{Lte: qdrant.PtrOf(2.0)})), []int{1, 2, 6}},
		{"between", must(qdrant.NewRange("n", &qdrant.Range{Gt: qdrant.PtrOf(1.0), Lt: qdrant.PtrOf(3.0)})), []int{2, 3}},
		{"any number", must(qdrant.NewRange("n", &qdrant.Range{})), []int{1, 2, 3, 6, 8}},
		{"is empty", must(qdrant.NewIsEmpty("doc")), []int{0, 3, 4, 5, 10, 12, 14}},
		{"is null", must(qdrant.NewIsNull("doc")), []int{4, 11}},
		{"has id", must(qdrant.NewHasID(qdrant.NewIDUUID(uuid(3)), qdrant.NewIDUUID(uuid(99)))), []int{3}},
		{"into a map", must(qdrant.NewMatchKeyword("m.doc", "a")), []int{10}},
		{"into a list", must(qdrant.NewMatchKeyword("m[].doc", "z")), []int{12}},
		{"elements", must(qdrant.NewMatchKeyword("doc[]", "a")), []int{6}},
		{"a dot in a path", must(qdrant.NewMatchKeyword("x.y", "a")), nil},
		{"a dot in a key", must(qdrant.NewMatchKeyword(`"x.y"`, "a")), []int{14}},
		{"should and must", &qdrant.Filter{
			Should: []*qdrant.Condition{qdrant.NewMatchKeyword("doc", "a"), qdrant.NewMatchKeyword("doc", "b")},
			Must:   []*qdrant.Condition{qdrant.NewMatchInt("n", 1)},
		}, []int{1, 6}},
		{"nested", must(qdrant.NewFilterAsCondition(&qdrant.Filter{Should: []*qdrant.Condition{qdrant.NewMatchKeyword("doc", "b"), qdrant.NewMatchInt("n", 3)}})), []int{2, 8}},
	} {
		t.Run(test.name, func(t *testing.T) {
			page, err := c.Scroll(within(t), &qdrant.ScrollPoints{CollectionName: "c", Filter: test.filter, Limit: qdrant.PtrOf(uint32(100))})
			if err != nil {
				t.Fatal(err)
			}
			var got []int
			for _, p := range page {
				got = append(got, slices.IndexFunc(all, func(n int) bool { return uuid(n) == p.GetId().GetUuid() }))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
			n, err := c.Count(within(t), &qdrant.CountPoints{CollectionName: "c", Filter: test.filter, Exact: qdrant.PtrOf(true)})
			if err != nil || int(n) != len(test.want) {
				t.Errorf("count is %d (%v), want %d", n, err, len(test.want))
			}
		})
	}
}

// As the engine: the filter guards a point that is there, and never one that is not.
func TestConditionalUpsert(t *testing.T) {
	insert, update := qdrant.UpdateMode_InsertOnly, qdrant.UpdateMode_UpdateOnly
	below5 := must(qdrant.NewRange("n", &qdrant.Range{Lt: qdrant.PtrOf(5.0)}))
	for _, test := range []struct {
		name   string
		old    map[string]any // nil: no point
		filter *qdrant.Filter
		mode   *qdrant.UpdateMode
		writes bool
	}{
		{"holds", map[string]any{"n": 3}, below5, nil, true},
		{"does not hold", map[string]any{"n": 7}, below5, nil, false},
		{"no such key", map[string]any{}, below5, nil, false},
		{"a new point", nil, below5, nil, true},
		{"not, no such key", map[string]any{}, &qdrant.Filter{MustNot: below5.Must}, nil, true},
		{"insert only, old", map[string]any{}, nil, &insert, false},
		{"insert only, new", nil, nil, &insert, true},
		{"update only, old", map[string]any{}, nil, &update, true},
		{"update only, new", nil, nil, &update, false},
		{"update only, does not hold", map[string]any{"n": 7}, below5, &update, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, c := begin(t, Options{})
			if test.old != nil {
				put(t, c, numbered(1, test.old))
			}
			r := upsert(numbered(1, map[string]any{"new": true}))
			r.UpdateFilter, r.UpdateMode = test.filter, test.mode
			result, err := c.Upsert(within(t), r)
			if err != nil || result.GetStatus() != qdrant.UpdateStatus_Completed {
				t.Fatalf("%v, %v; want Completed, written or not", result, err)
			}
			list := s.Points("c")
			if wrote := len(list) == 1 && list[0].Payload["new"] == true; wrote != test.writes {
				t.Errorf("written: %v, want %v; there is %v", wrote, test.writes, list)
			}
		})
	}
}

// All points of a batch are held against what was there before it.
func TestConditionalUpsertOfOneIDTwice(t *testing.T) {
	s, c := begin(t, Options{})
	r := upsert(numbered(1, map[string]any{"n": 1}), numbered(1, map[string]any{"n": 2}))
	r.UpdateFilter = must(qdrant.NewMatchInt("n", 99))
	if _, err := c.Upsert(within(t), r); err != nil {
		t.Fatal(err)
	}
	if got := s.Points("c")[0].Payload["n"]; got != int64(2) {
		t.Errorf("n is %v, want that of the last one, 2", got)
	}
}

func TestScrollIsByID(t *testing.T) {
	s, c := begin(t, Options{})
	want := []string{
		"3", "5", "18446744073709551615",
		"00000000-0000-4000-8000-000000000001", "0a000000-0000-1000-8000-000000000000", "7fffffff-0000-4000-8000-000000000000",
		"80000000-0000-4000-8000-000000000000", "a0000000-0000-4000-8000-000000000000", "ffffffff-0000-4000-8000-000000000000",
	}
	for _, i := range []int{8, 3, 0, 5, 2, 7, 1, 6, 4} {
		s.Insert("c", want[i], map[string]any{"i": i}, []float32{1, 0})
	}
	for limit := range uint32(10) {
		var got []string
		r := &qdrant.ScrollPoints{CollectionName: "c", Limit: qdrant.PtrOf(limit + 1)}
		for {
			page, next, err := c.ScrollAndOffset(within(t), r)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range page {
				a, _ := readID(p.Id)
				got = append(got, a.String())
			}
			if r.Offset = next; next == nil {
				break
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("pages of %d: %s", limit+1, diff)
		}
	}
	page, next, err := c.ScrollAndOffset(within(t), &qdrant.ScrollPoints{CollectionName: "c", Offset: qdrant.NewIDUUID("70000000-0000-4000-8000-000000000000"), Limit: qdrant.PtrOf(uint32(1))})
	if err != nil || page[0].Id.GetUuid() != want[5] || next.GetUuid() != want[6] {
		t.Errorf("from an id that is not there: %v, next %v, %v; want the one above it", page, next, err)
	}
}

func TestIDOrder(t *testing.T) {
	ids := rapid.Custom(func(t *rapid.T) id {
		if rapid.Bool().Draw(t, "uuid") {
			return id{uuid: [16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "bytes")), isUUID: true}
		}
		return id{num: rapid.Uint64().Draw(t, "num")}
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := ids.Draw(t, "a"), ids.Draw(t, "b")
		if a.compare(b) != -b.compare(a) || (a.compare(b) == 0) != (a == b) {
			t.Errorf("compare(%s, %s) is %d, the other way %d", a, b, a.compare(b), b.compare(a))
		}
		if again, err := readID(a.proto()); err != nil || again != a {
			t.Errorf("%s is read back as %s, %v", a, again, err)
		}
	})
}

// What is stored and what it scores to (1, 0), by the engine.
func TestCosine(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, test := range []struct {
		name          string
		given, stored []float32
		score         float32
		found         bool
	}{
		{"length 5", []float32{3, 4}, []float32{0.6, 0.8}, 0.6, true},
		{"opposite", []float32{-2, 0}, []float32{-1, 0}, -1, true},
		{"zero", []float32{0, 0}, []float32{0, 0}, 0, true},
		{"next to nothing", []float32{2e-7, 0}, []float32{2e-7, 0}, 2e-7, true},
		{"nearly of length 1", []float32{1.0000004, 0}, []float32{1.0000004, 0}, 1.0000004, true},
		{"too long to square", []float32{1e30, 1e30}, []float32{0, 0}, 0, true},
		{"not a number", []float32{nan, 0}, nil, 0, false},
		{"infinite", []float32{inf, 0}, nil, 0, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, c := begin(t, Options{})
			p := numbered(1, nil)
			p.Vectors = qdrant.NewVectorsDense(test.given)
			put(t, c, p)
			hits, err := c.Query(within(t), &qdrant.QueryPoints{CollectionName: "c", Query: qdrant.NewQueryDense([]float32{7, 0})})
			if err != nil || len(hits) == 1 != test.found {
				t.Fatalf("hits: %v, %v", hits, err)
			}
			if !test.found {
				if len(s.Complaints()) == 0 {
					t.Error("no complaint")
				}
				return
			}
			if hits[0].Score != test.score {
				t.Errorf("score %v, want %v", hits[0].Score, test.score)
			}
			if diff := cmp.Diff(test.stored, s.Points("c")[0].Vector); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestQueryPages(t *testing.T) {
	s, c := begin(t, Options{})
	for n := range 10 {
		s.Insert("c", uuid(n), map[string]any{"n": n, "rest": "x"}, []float32{float32(10 - n), float32(n)})
	}
	hits, err := c.Query(within(t), &qdrant.QueryPoints{
		CollectionName: "c", Query: qdrant.NewQueryDense([]float32{1, 0}), Limit: qdrant.PtrOf(uint64(3)), Offset: qdrant.PtrOf(uint64(2)),
		WithPayload: qdrant.NewWithPayloadInclude("n"), Filter: &qdrant.Filter{MustNot: []*qdrant.Condition{qdrant.NewMatchInt("n", 3)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []map[string]any
	for _, h := range hits {
		got = append(got, plainMap(h.Payload))
	}
	if diff := cmp.Diff([]map[string]any{{"n": int64(2)}, {"n": int64(4)}, {"n": int64(5)}}, got); diff != "" {
		t.Error(diff)
	}
	hits, err = c.Query(within(t), &qdrant.QueryPoints{CollectionName: "c", Query: qdrant.NewQueryDense([]float32{1, 0}), ScoreThreshold: qdrant.PtrOf(float32(0.99))})
	if err != nil || len(hits) != 2 || len(hits[0].Payload) != 0 {
		t.Errorf("above 0.99 are %v, %v; want two without payload", hits, err)
	}
}

// An answer by bytes is not exact until it is asked to be, as with the engine.
func TestQuantised(t *testing.T) {
	s := New(t, Options{Optimised: true})
	c := dial(t, s.URL(), "", nil)
	err := c.CreateCollection(within(t), &qdrant.CreateCollection{
		CollectionName:     "c",
		VectorsConfig:      qdrant.NewVectorsConfig(&qdrant.VectorParams{Size: 2, Distance: qdrant.Distance_Cosine}),
		QuantizationConfig: qdrant.NewQuantizationScalar(&qdrant.ScalarQuantization{Type: qdrant.QuantizationType_Int8}),
	})
	if err != nil {
		t.Fatal(err)
	}
	for n := range 50 {
		s.Insert("c", uuid(n), nil, []float32{float32(math.Cos(float64(n) / 40)), float32(math.Sin(float64(n) / 40))})
	}
	vectors := map[string][]float32{}
	for _, p := range s.Points("c") {
		vectors[p.ID] = p.Vector
	}
	v := []float32{float32(math.Cos(0.3)), float32(math.Sin(0.3))}
	for _, test := range []struct {
		name   string
		params *qdrant.SearchParams
		exact  bool
	}{
		{"as is", nil, false},
		{"rescored", &qdrant.SearchParams{Quantization: &qdrant.QuantizationSearchParams{Rescore: qdrant.PtrOf(true), Oversampling: qdrant.PtrOf(2.0)}}, true},
		{"ignored", &qdrant.SearchParams{Quantization: &qdrant.QuantizationSearchParams{Ignore: qdrant.PtrOf(true)}}, true},
		{"exact", &qdrant.SearchParams{Exact: qdrant.PtrOf(true)}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			hits, err := c.Query(within(t), &qdrant.QueryPoints{CollectionName: "c", Query: qdrant.NewQueryDense(v), Params: test.params})
			if err != nil || len(hits) != 10 {
				t.Fatal(hits, err)
			}
			exact := true
			for _, h := range hits {
				off := math.Abs(float64(h.Score - dot(v, vectors[h.Id.GetUuid()])))
				exact = exact && off == 0
				if off > 0.02 {
					t.Errorf("the score of %v is off by %v", h.Id, off)
				}
			}
			if exact != test.exact {
				t.Errorf("exact: %v, want %v", exact, test.exact)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	s, c := begin(t, Options{})
	if err := c.CreateAlias(within(t), "alias", "c"); err != nil {
		t.Fatal(err)
	}
	write := func(r *qdrant.UpsertPoints) error { _, err := c.Upsert(within(t), r); return err }
	query := func(r *qdrant.QueryPoints) error { _, err := c.Query(within(t), r); return err }
	for _, test := range []struct {
		name string
		err  error
		code codes.Code
		text string
	}{
		{"unknown collection", write(&qdrant.UpsertPoints{CollectionName: "x"}), codes.NotFound, "Not found: Collection `x` doesn't exist!"},
		{"no name", write(&qdrant.UpsertPoints{}), codes.InvalidArgument, "Validation error in body: [collection_name: value invalid, must be from 1 to 255 characters]"},
		{"dimension", query(&qdrant.QueryPoints{CollectionName: "c", Query: qdrant.NewQueryDense([]float32{1, 2, 3})}), codes.InvalidArgument, "Wrong input: Vector dimension error: expected dim: 2, got 3"},
		{"limit 0", query(&qdrant.QueryPoints{CollectionName: "c", Limit: qdrant.PtrOf(uint64(0))}), codes.InvalidArgument, "Validation error in body: [limit: value 0 invalid, must be 1 or larger]"},
		{"id", write(upsert(&qdrant.PointStruct{Id: qdrant.NewID("x"), Vectors: qdrant.NewVectors(1, 0)})), codes.InvalidArgument, "Unable to parse UUID: x"},
		{"no id", write(upsert(&qdrant.PointStruct{Vectors: qdrant.NewVectors(1, 0)})), codes.InvalidArgument, "Empty ID is not allowed"},
		{"no vector", write(upsert(&qdrant.PointStruct{Id: qdrant.NewIDNum(1)})), codes.InvalidArgument, "Expected some vectors"},
		{"one of two", write(upsert(numbered(1, nil), &qdrant.PointStruct{Id: qdrant.NewIDNum(1), Vectors: qdrant.NewVectorsDense([]float32{1})})), codes.InvalidArgument, "Wrong input: Vector dimension error: expected dim: 2, got 1"},
		{"twice", c.CreateCollection(within(t), &qdrant.CreateCollection{
			CollectionName: "c", VectorsConfig: qdrant.NewVectorsConfig(&qdrant.VectorParams{Size: 1, Distance: qdrant.Distance_Dot}),
		}), codes.AlreadyExists, "Wrong input: Collection `c` already exists!"},
		{"named as an alias", c.CreateCollection(within(t), &qdrant.CreateCollection{
			CollectionName: "alias", VectorsConfig: qdrant.NewVectorsConfig(&qdrant.VectorParams{Size: 1, Distance: qdrant.Distance_Dot}),
		}), codes.InvalidArgument, "Wrong input: Can't create collection with name alias. Alias with the same name already exists"},
		{"slash", c.CreateCollection(within(t), &qdrant.CreateCollection{CollectionName: "a/b"}), codes.InvalidArgument, `Validation error in body: [collection_name: collection name cannot contain "/" char]`},
		{"alias of a name", c.CreateAlias(within(t), "c", "c"), codes.AlreadyExists, "Wrong input: Collection `c` already exists!"},
		{"not here", func() error { _, err := c.ListSnapshots(within(t), "c"); return err }(), codes.Unimplemented, "unknown service qdrant.Snapshots"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := status.Convert(rootOf(test.err))
			if got.Code() != test.code || !contains(got.Message(), test.text) {
				t.Errorf("%v, want %v: %s", test.err, test.code, test.text)
			}
		})
	}
	if n := len(s.Points("c")); n != 0 {
		t.Errorf("%d points are stored, want none", n)
	}
}

func TestAliases(t *testing.T) {
	s, c := begin(t, Options{})
	create(t, c, "d", 2)
	for _, to := range []string{"c", "d"} {
		err := c.UpdateAliases(within(t), []*qdrant.AliasOperations{qdrant.NewAliasDelete("now"), qdrant.NewAliasCreate("now", to)})
		if err != nil {
			t.Fatal(err)
		}
		s.Insert("now", uuid(1), map[string]any{"in": to}, []float32{1, 0})
	}
	if diff := cmp.Diff(s.Points("d"), s.Points("now")); diff != "" || s.Points("c")[0].Payload["in"] != "c" {
		t.Errorf("the alias leads elsewhere: %s", diff)
	}
	// Where the second action is refused, the first one stays.
	err := c.UpdateAliases(within(t), []*qdrant.AliasOperations{qdrant.NewAliasDelete("now"), qdrant.NewAliasCreate("now", "gone")})
	if code(err) != codes.NotFound || len(s.Aliases()) != 0 {
		t.Errorf("%v leaves %v, want NotFound and no alias", err, s.Aliases())
	}
	if err := c.CreateAlias(within(t), "now", "d"); err != nil {
		t.Fatal(err)
	}
	if err := c.DeleteCollection(within(t), "d"); err != nil || len(s.Aliases()) != 0 {
		t.Errorf("after the collection went (%v) there is %v", err, s.Aliases())
	}
	reply, err := c.GetCollectionsClient().Delete(within(t), &qdrant.DeleteCollection{CollectionName: "d"})
	if err != nil || reply.GetResult() {
		t.Errorf("a collection that is not there: %v, %v; want false and no error", reply, err)
	}
}

func TestMetadata(t *testing.T) {
	s, c := begin(t, Options{})
	update := func(m map[string]any) {
		t.Helper()
		if err := c.UpdateCollection(within(t), &qdrant.UpdateCollection{CollectionName: "c", Metadata: qdrant.NewValueMap(m)}); err != nil {
			t.Fatal(err)
		}
	}
	update(map[string]any{"model": "m", "format": 1})
	update(map[string]any{"format": nil, "more": "x"})
	update(nil)
	if diff := cmp.Diff(map[string]any{"model": "m", "more": "x"}, s.Info("c").Metadata); diff != "" {
		t.Error(diff)
	}
}

func TestRetrieve(t *testing.T) {
	_, c := begin(t, Options{})
	for n := range 4 {
		put(t, c, numbered(n, map[string]any{"n": n}))
	}
	id := func(n int) *qdrant.PointId { return qdrant.NewIDUUID(uuid(n)) }
	list, err := c.Get(within(t), &qdrant.GetPoints{
		CollectionName: "c", Ids: []*qdrant.PointId{id(3), id(0), id(9), id(3)}, WithPayload: qdrant.NewWithPayload(true), WithVectors: qdrant.NewWithVectors(true),
	})
	if err != nil || len(list) != 2 || list[0].Payload["n"].GetIntegerValue() != 3 || list[1].Vectors.GetVector().GetDense().GetData()[0] != 1 {
		t.Errorf("%v, %v; want 3 and 0, in that order", list, err)
	}
	for _, sel := range []*qdrant.PointsSelector{
		qdrant.NewPointsSelector(id(0), id(77)),
		qdrant.NewPointsSelectorFilter(must(qdrant.NewMatchInt("n", 3))),
	} {
		if _, err := c.Delete(within(t), &qdrant.DeletePoints{CollectionName: "c", Points: sel, Wait: qdrant.PtrOf(true)}); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := c.Count(within(t), &qdrant.CountPoints{CollectionName: "c"}); n != 2 || err != nil {
		t.Errorf("%d points are left, %v; want 2", n, err)
	}
}

func TestStrict(t *testing.T) {
	s, c := begin(t, Options{Strict: true})
	a := must(qdrant.NewMatchKeyword("doc", "a"))
	count := func() error {
		_, err := c.Count(within(t), &qdrant.CountPoints{CollectionName: "c", Filter: a})
		return err
	}
	want := `Bad request: Index required but not found for "doc" of one of the following types: [keyword]. Help: Create an index for this key or use a different filter.`
	if got := status.Convert(rootOf(count())); got.Code() != codes.InvalidArgument || !contains(got.Message(), want) {
		t.Errorf("without index: %v", got)
	}
	for _, kind := range []qdrant.FieldType{qdrant.FieldType_FieldTypeInteger, qdrant.FieldType_FieldTypeKeyword} {
		if _, err := c.CreateFieldIndex(within(t), &qdrant.CreateFieldIndexCollection{CollectionName: "c", FieldName: "doc", FieldType: &kind, Wait: qdrant.PtrOf(true)}); err != nil {
			t.Fatal(err)
		}
		if err := count(); (err == nil) != (kind == qdrant.FieldType_FieldTypeKeyword) {
			t.Errorf("with an index of type %s: %v", kind, err)
		}
	}
	var batch []*qdrant.PointStruct
	for n := range 1001 {
		batch = append(batch, numbered(n, nil))
	}
	if _, err := c.Upsert(within(t), upsert(batch...)); code(err) != codes.InvalidArgument || len(s.Points("c")) != 0 {
		t.Errorf("1001 points at once: %v", err)
	}
	if _, err := c.Scroll(within(t), &qdrant.ScrollPoints{CollectionName: "c", Limit: qdrant.PtrOf(uint32(1001))}); code(err) != codes.InvalidArgument {
		t.Errorf("a page of 1001 points: %v", err)
	}
	if got := s.Info("c"); got.Dim != 2 || got.Distance != qdrant.Distance_Cosine || got.Int8 || got.Indexes["doc"] != qdrant.PayloadSchemaType_Keyword {
		t.Errorf("info: %+v", got)
	}
}
