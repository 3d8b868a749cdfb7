package qdrant

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"citebot/internal/kb"

	"github.com/google/uuid"
	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
)

// What a point carries beside its vector. The audience is part of every search; the path is
// for people who look into the collection; the seal tells when any of it was changed by
// others.
const (
	fieldHash     = "hash"
	fieldPath     = "path"
	fieldAudience = "audience"
	fieldSeal     = "seal"
)

// seal is for accidents, not for those who know how it is made.
func seal(hash, path, audience string) string {
	sum := sha256.Sum256([]byte(hash + "\x00" + path + "\x00" + audience))
	return hex.EncodeToString(sum[:8])
}

// points is the namespace of ids.
var points = uuid.MustParse("5b3c1c1e-8a36-5d0e-9c44-0f6d2a7c9b10")

// pointID is the id of a key: a UUID of version 5 (RFC 9562). A passage's hash seals its ID,
// so that it stands for both.
func pointID(key string) string { return uuid.NewSHA1(points, []byte(key)).String() }

// batchPoints is how many points one call writes; with 384 values each that is 450 kB of the
// 32 MB that Qdrant takes (service.max_request_size_mb).
const batchPoints = 256

// batchBytes bounds a call's vectors where they are long.
const batchBytes = 8 << 20

func (s *Store) batch() int { return max(1, min(batchPoints, batchBytes/(4*max(s.cfg.Dim, 1)))) }

// Put implements kb.VectorStore.
func (s *Store) Put(ctx context.Context, vectors []kb.Vector) error {
	for _, v := range vectors {
		if len(v.Values) != s.cfg.Dim {
			return fmt.Errorf("vector %s has %d values, the collection holds vectors of %d", v.Key, len(v.Values), s.cfg.Dim)
		}
	}
	return write(ctx, s, vectors, s.batch(), s.upsert)
}

// write does something to the collection, chunk by chunk, as long as it is ours to write: a
// lease can end on the way. A collection that is gone is made again at the next try.
func write[T any](ctx context.Context, s *Store, all []T, chunk int, do func(ctx context.Context, name string, some []T) error) error {
	if len(all) == 0 {
		return nil
	}
	name, err := s.prepared(ctx)
	if err != nil {
		return err
	}
	for some := range slices.Chunk(all, chunk) {
		if err := s.mayWrite(ctx, name); err != nil {
			return s.gone(err)
		}
		if err := do(ctx, name, some); err != nil {
			return s.gone(asReader(err))
		}
	}
	return nil
}

// mayWrite is nil where this bot writes the collection, which is as it should be then.
func (s *Store) mayWrite(ctx context.Context, name string) error {
	ours, err := s.writes(ctx, name)
	if err == nil && !ours {
		return kb.ErrNotWriter
	}
	if err == nil {
		err = s.mend(ctx, name)
	}
	return asReader(err)
}

// asReader is for a key that may only read: it makes a bot that only reads.
func asReader(err error) error {
	if isCode(err, codes.PermissionDenied) {
		return fmt.Errorf("%w: %w", kb.ErrNotWriter, err)
	}
	return err
}

// gone forgets a collection that is not there any more.
func (s *Store) gone(err error) error {
	if isCode(err, codes.NotFound) {
		s.use("", nil)
	}
	return err
}

func (s *Store) upsert(ctx context.Context, name string, vectors []kb.Vector) error {
	request := &qdrant.UpsertPoints{CollectionName: name, Wait: qdrant.PtrOf(true)}
	for _, v := range vectors {
		request.Points = append(request.Points, &qdrant.PointStruct{
			Id:      qdrant.NewIDUUID(pointID(v.Key)),
			Vectors: qdrant.NewVectorsDense(v.Values),
			Payload: map[string]*qdrant.Value{
				fieldHash:     qdrant.NewValueString(v.Key),
				fieldPath:     qdrant.NewValueString(v.Path),
				fieldAudience: qdrant.NewValueString(v.Audience),
				fieldSeal:     qdrant.NewValueString(seal(v.Key, v.Path, v.Audience)),
			},
		})
	}
	return s.call(ctx, "upsert", s.times.write, func(ctx context.Context) error {
		return applied(s.client.Upsert(ctx, request))
	})
}

// applied takes a write that was not applied for an error: it may yet be, or not.
func applied(result *qdrant.UpdateResult, err error) error {
	if err == nil && result.GetStatus() != qdrant.UpdateStatus_Completed {
		return fmt.Errorf("it took a write and has not applied it (%s)", result.GetStatus())
	}
	return err
}

// Delete implements kb.VectorStore.
func (s *Store) Delete(ctx context.Context, keys []string) error {
	return write(ctx, s, keys, 4*batchPoints, s.delete)
}

func (s *Store) delete(ctx context.Context, name string, keys []string) error {
	ids := make([]*qdrant.PointId, len(keys))
	for i, key := range keys {
		ids[i] = idOf(key)
	}
	request := &qdrant.DeletePoints{CollectionName: name, Wait: qdrant.PtrOf(true), Points: qdrant.NewPointsSelectorIDs(ids)}
	return s.call(ctx, "delete", s.times.write, func(ctx context.Context) error {
		return applied(s.client.Delete(ctx, request))
	})
}

// Search implements kb.VectorStore. The audiences are part of the query, so that what these
// people may not see is neither found nor counted. What is none of ours is in the list, so
// that the caller sees how much of it there is.
func (s *Store) Search(ctx context.Context, vector []float32, audiences []string, k int) ([]kb.Scored, error) {
	if len(vector) != s.cfg.Dim {
		return nil, fmt.Errorf("the query has %d values, the collection holds vectors of %d", len(vector), s.cfg.Dim)
	}
	if len(audiences) == 0 || k <= 0 {
		return nil, ctx.Err()
	}
	ctx, cancel := context.WithTimeout(ctx, s.times.search) // also where there is much to prepare
	defer cancel()
	name, err := s.prepared(ctx)
	if err != nil {
		return nil, err
	}
	request := &qdrant.QueryPoints{
		CollectionName: name,
		Query:          qdrant.NewQueryDense(vector),
		Filter:         &qdrant.Filter{Must: []*qdrant.Condition{qdrant.NewMatchKeywords(fieldAudience, audiences...)}},
		Limit:          qdrant.PtrOf(uint64(k)),
		Timeout:        qdrant.PtrOf(uint64(max(1, s.times.search.Seconds()))), // from one second
		Params:         s.params(k),
		WithPayload:    qdrant.NewWithPayloadInclude(fieldHash),
	}
	var found []*qdrant.ScoredPoint
	err = s.call(ctx, "query", s.times.search, func(ctx context.Context) (err error) {
		found, err = s.client.Query(ctx, request)
		return err
	})
	return scored(found), s.gone(err)
}

// params asks for exact scores. Qdrant compares int8 values as they are, and misses one of
// twenty of the ten nearest; of twice as many candidates, scored anew, it misses none
// (3,000 random vectors of 384 values).
func (s *Store) params(k int) *qdrant.SearchParams {
	p := &qdrant.SearchParams{HnswEf: qdrant.PtrOf(uint64(max(128, k)))}
	if s.cfg.Quantise {
		p.Quantization = &qdrant.QuantizationSearchParams{Rescore: qdrant.PtrOf(true), Oversampling: qdrant.PtrOf(2.0)}
	}
	return p
}

// scored are the hits in the order that the port promises.
func scored(found []*qdrant.ScoredPoint) []kb.Scored {
	out := make([]kb.Scored, len(found))
	for i, p := range found {
		out[i] = kb.Scored{Key: keyOf(p.GetId(), p.GetPayload()), Score: float64(p.GetScore())}
	}
	slices.SortFunc(out, func(a, b kb.Scored) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.Key, b.Key))
	})
	return out
}

// pagePoints is how many points one page of a list has.
const pagePoints = 1000

// Keys implements kb.VectorStore. It looks at the collection anew, and makes it if it is
// not there.
func (s *Store) Keys(ctx context.Context) ([]string, error) {
	name, err := s.prepare(ctx)
	if err != nil {
		return nil, err
	}
	s.tend(ctx, name)
	var keys []string
	err = s.each(ctx, name, func(key string) bool {
		keys = append(keys, key)
		return true
	})
	if err != nil {
		return nil, s.gone(err)
	}
	return keys, nil
}

// each visits the keys of a collection until visit is false.
func (s *Store) each(ctx context.Context, name string, visit func(key string) bool) error {
	var from *qdrant.PointId
	for {
		page, next, err := s.page(ctx, name, from)
		for _, p := range page {
			if !visit(sealedKey(p.GetId(), p.GetPayload())) {
				return nil
			}
		}
		if err != nil || next == nil || len(page) == 0 {
			return err
		}
		from = next
	}
}

func (s *Store) page(ctx context.Context, name string, from *qdrant.PointId) (page []*qdrant.RetrievedPoint, next *qdrant.PointId, err error) {
	request := &qdrant.ScrollPoints{
		CollectionName: name, Offset: from, Limit: qdrant.PtrOf(uint32(pagePoints)),
		WithPayload: qdrant.NewWithPayloadInclude(fieldHash, fieldPath, fieldAudience, fieldSeal), WithVectors: qdrant.NewWithVectors(false),
	}
	err = s.call(ctx, "scroll", s.times.page, func(ctx context.Context) (err error) {
		page, next, err = s.client.ScrollAndOffset(ctx, request)
		return err
	})
	return page, next, err
}

// stranger begins the key of a point that is none of ours, before its id.
const stranger = "point "

func isStranger(key string) bool { return strings.HasPrefix(key, stranger) }

// sealedKey is a point's key for a list: one whose payload is not what we put is a stranger,
// and so it is mended. A search, which finds it until then, goes by keyOf: the library knows
// the audience of each key itself.
func sealedKey(id *qdrant.PointId, payload map[string]*qdrant.Value) string {
	hash, path, audience := payload[fieldHash].GetStringValue(), payload[fieldPath].GetStringValue(), payload[fieldAudience].GetStringValue()
	if payload[fieldSeal].GetStringValue() != seal(hash, path, audience) {
		return strangerKey(id)
	}
	return keyOf(id, payload)
}

// keyOf is a point's key; that of a stranger where its id is not that of its hash.
func keyOf(id *qdrant.PointId, payload map[string]*qdrant.Value) string {
	key := payload[fieldHash].GetStringValue()
	if key != "" && !isStranger(key) && id.GetUuid() == pointID(key) {
		return key
	}
	return strangerKey(id)
}

func strangerKey(id *qdrant.PointId) string {
	if uuid := id.GetUuid(); uuid != "" {
		return stranger + uuid
	}
	return stranger + strconv.FormatUint(id.GetNum(), 10)
}

// idOf is the id of the point that has this key.
func idOf(key string) *qdrant.PointId {
	id, strange := strings.CutPrefix(key, stranger)
	if !strange {
		return qdrant.NewIDUUID(pointID(key))
	}
	if n, err := strconv.ParseUint(id, 10, 64); err == nil {
		return qdrant.NewIDNum(n)
	}
	return qdrant.NewIDUUID(id)
}
