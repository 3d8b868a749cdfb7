package qdrant

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"strings"

	"citebot/internal/kb"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
)

// A collection's metadata say that it is citebot's, and of which model. Without them, points
// that are none of ours would be another program's, and mending the collection its end.
const (
	metaModel  = "citebot_model"
	metaFormat = "citebot_format"
	metaLease  = "citebot_lease" // of a lease's collection: the format
	format     = 1
)

// oldest is the first version of Qdrant that has what is needed here: metadata of a
// collection and conditional updates, https://qdrant.tech/blog/qdrant-1.16.x/.
var oldest = [2]int{1, 16}

// prepared is the collection to use; it is looked at if it was not before.
func (s *Store) prepared(ctx context.Context) (name string, err error) {
	if name, ok := s.known(); ok {
		return name, nil
	}
	return s.prepare(ctx)
}

// prepare looks at the server and at the collection, makes what is missing and refuses what
// does not fit. A collection that was made for another model is left alone, and one beside
// it is used.
func (s *Store) prepare(ctx context.Context) (name string, err error) {
	name, info, err := s.choose(ctx)
	s.use(name, info)
	return name, err
}

func (s *Store) choose(ctx context.Context) (string, *qdrant.CollectionInfo, error) {
	if err := s.checkVersion(ctx); err != nil {
		return "", nil, err
	}
	for _, name := range s.names() {
		info, used, err := s.prepareOne(ctx, name)
		switch {
		case err != nil:
			return "", nil, err
		case used:
			return name, info, nil
		}
	}
	return "", nil, s.refused("collections %s hold vectors of other models; name another with QDRANT_COLLECTION", strings.Join(s.names(), " and "))
}

// names are the collections that may be ours, best first.
func (s *Store) names() []string {
	if s.cfg.Collection == "" {
		return []string{CollectionName(s.cfg.Model, s.cfg.Dim)}
	}
	return []string{s.cfg.Collection, s.cfg.Collection + "_" + suffix(s.cfg.Model, s.cfg.Dim)}
}

// use notes which collection is in use, "" for none, and what is to be mended about it.
func (s *Store) use(name string, info *qdrant.CollectionInfo) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.collection, s.flawed = name, nil
	if name != "" && s.isFlawed(info) {
		s.flawed = info
	}
	if name == "" || name == s.last {
		return
	}
	s.last = name
	s.log.Info("vectors are kept in Qdrant", slog.String("address", s.address), slog.String("version", s.version), slog.String("collection", name))
	if first := s.names()[0]; name != first {
		s.log.Info("a collection of another model is left alone; delete it when no bot uses it", slog.String("collection", first))
	}
}

// checkVersion refuses a server that would not do what is asked of it, and say nothing.
func (s *Store) checkVersion(ctx context.Context) error {
	var reply *qdrant.HealthCheckReply
	err := s.call(ctx, "health", s.times.ask, func(ctx context.Context) (err error) {
		reply, err = s.client.HealthCheck(ctx)
		return err
	})
	if err != nil {
		return err
	}
	version := reply.GetVersion()
	s.mu.Lock()
	s.version = version
	s.mu.Unlock()
	if tooOld(version) {
		return s.refused("it is of version %s; citebot needs %d.%d or newer: upgrade it", version, oldest[0], oldest[1])
	}
	return nil
}

// tooOld is false for what is no version: a build of one's own.
func tooOld(version string) bool {
	parts := strings.SplitN(version, ".", 3)
	if len(parts) < 2 {
		return false
	}
	major, err1 := strconv.Atoi(parts[0])
	minor, err2 := strconv.Atoi(parts[1])
	if err1 != nil || err2 != nil {
		return false
	}
	return major < oldest[0] || major == oldest[0] && minor < oldest[1]
}

// prepareOne makes a collection that is missing, and says whether one is for this model.
// One that is there is left as it is: several bots look at it, and to change it is the
// writer's (mend).
func (s *Store) prepareOne(ctx context.Context, name string) (info *qdrant.CollectionInfo, used bool, err error) {
	info, err = s.info(ctx, name)
	if isCode(err, codes.NotFound) {
		if err = s.create(ctx, name); err == nil || isCode(err, codes.AlreadyExists) {
			info, err = s.info(ctx, name)
		}
	}
	if err != nil {
		return nil, false, err
	}
	used, err = s.fits(ctx, name, info)
	return info, used, err
}

func (s *Store) info(ctx context.Context, name string) (info *qdrant.CollectionInfo, err error) {
	err = s.call(ctx, "info", s.times.ask, func(ctx context.Context) (err error) {
		info, err = s.client.GetCollectionInfo(ctx, name)
		return err
	})
	return info, err
}

func (s *Store) create(ctx context.Context, name string) error {
	request := &qdrant.CreateCollection{
		CollectionName: name,
		VectorsConfig:  qdrant.NewVectorsConfig(&qdrant.VectorParams{Size: uint64(s.cfg.Dim), Distance: qdrant.Distance_Cosine}),
		HnswConfig:     &qdrant.HnswConfigDiff{M: qdrant.PtrOf(uint64(16)), EfConstruct: qdrant.PtrOf(uint64(128))},
		Metadata:       s.mark(),
		Timeout:        qdrant.PtrOf(uint64(s.times.create.Seconds())),
	}
	if s.cfg.Quantise {
		request.QuantizationConfig = qdrant.NewQuantizationScalar(int8Scalar())
	}
	if s.cfg.Shards > 0 {
		request.ShardNumber = &s.cfg.Shards
	}
	if s.cfg.Replicas > 0 {
		request.ReplicationFactor = &s.cfg.Replicas
	}
	err := s.call(ctx, "create", s.times.create, func(ctx context.Context) error { return s.client.CreateCollection(ctx, request) })
	if err != nil {
		return err
	}
	s.log.Info("collection made in Qdrant", slog.String("collection", name), slog.Int("dim", s.cfg.Dim))
	return s.index(ctx, name, nil, indexed...)
}

func (s *Store) mark() map[string]*qdrant.Value {
	return map[string]*qdrant.Value{metaModel: qdrant.NewValueString(s.cfg.Model), metaFormat: qdrant.NewValueInt(format)}
}

// int8Scalar keeps a byte a value in memory, without the outermost hundredth of them.
func int8Scalar() *qdrant.ScalarQuantization {
	return &qdrant.ScalarQuantization{Type: qdrant.QuantizationType_Int8, Quantile: qdrant.PtrOf(float32(0.99)), AlwaysRam: qdrant.PtrOf(true)}
}

// fits says whether a collection is for this model. One of another model of ours is not; one
// that is not ours is an error.
func (s *Store) fits(ctx context.Context, name string, info *qdrant.CollectionInfo) (bool, error) {
	model := modelOf(info)
	if model != "" && model != s.cfg.Model {
		return false, nil
	}
	if isNewer(info) {
		return false, s.refused("collection %s was made by a newer citebot; use that one here, too, or name another collection with QDRANT_COLLECTION", name)
	}
	params := info.GetConfig().GetParams().GetVectorsConfig().GetParams()
	if params.GetSize() != uint64(s.cfg.Dim) || params.GetDistance() != qdrant.Distance_Cosine {
		return false, s.refused("collection %s holds vectors of %d values by %s, this bot's have %d by Cosine; name another with QDRANT_COLLECTION, or delete it",
			name, params.GetSize(), params.GetDistance(), s.cfg.Dim)
	}
	if model != "" {
		return true, nil
	}
	ours, err := s.allOurs(ctx, name)
	if err == nil && !ours {
		err = s.refused("collection %s holds %s and is not citebot's; name another with QDRANT_COLLECTION, or delete it", name, countPoints(info.GetPointsCount()))
	}
	return ours, err
}

func modelOf(info *qdrant.CollectionInfo) string {
	return info.GetConfig().GetMetadata()[metaModel].GetStringValue()
}

// isNewer says whether a collection is of a format that was not known yet.
func isNewer(info *qdrant.CollectionInfo) bool {
	return info.GetConfig().GetMetadata()[metaFormat].GetIntegerValue() > format
}

// allOurs says whether a collection holds nothing but points of ours. One that is without
// its mark may have been lost and made anew by someone, and written before we saw it.
func (s *Store) allOurs(ctx context.Context, name string) (ours bool, err error) {
	ours = true
	err = s.each(ctx, name, func(key string) bool {
		ours = !isStranger(key)
		return ours
	})
	return ours && err == nil, err
}

// indexed are the payload fields with an index.
var indexed = []string{fieldAudience, fieldPath}

// isFlawed says whether something is to be mended.
func (s *Store) isFlawed(info *qdrant.CollectionInfo) bool {
	return modelOf(info) == "" || len(unindexed(info, qdrant.PayloadSchemaType_Keyword, indexed...)) > 0 || isQuantised(info) != s.cfg.Quantise
}

// mend makes the collection in use what it should be. Only its writer does: bots that are
// configured differently would change it to and fro.
func (s *Store) mend(ctx context.Context, name string) error {
	s.mu.Lock()
	info := s.flawed
	s.mu.Unlock()
	if info == nil {
		return nil
	}
	if modelOf(info) == "" {
		if err := s.update(ctx, &qdrant.UpdateCollection{CollectionName: name, Metadata: s.mark()}); err != nil {
			return err
		}
	}
	if err := s.index(ctx, name, info, indexed...); err != nil {
		return err
	}
	if err := s.quantise(ctx, name, info); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.flawed == info { // it was not looked at again meanwhile
		s.flawed = nil
	}
	return nil
}

// tend mends what it can. What is not as it should be can be read all the same.
func (s *Store) tend(ctx context.Context, name string) {
	s.mu.Lock()
	well := s.flawed == nil
	s.mu.Unlock()
	if well {
		return
	}
	if err := s.mayWrite(ctx, name); err != nil && !errors.Is(err, kb.ErrNotWriter) && ctx.Err() == nil {
		s.log.Warn("the collection in Qdrant is not as configured, and cannot be changed now", slog.Any("reason", err))
	}
}

func (s *Store) update(ctx context.Context, request *qdrant.UpdateCollection) error {
	return s.call(ctx, "update", s.times.create, func(ctx context.Context) error { return s.client.UpdateCollection(ctx, request) })
}

// index indexes payload fields, before they are in a filter: strict mode refuses others. An
// index takes the place of one of another type.
func (s *Store) index(ctx context.Context, name string, info *qdrant.CollectionInfo, fields ...string) error {
	for _, field := range unindexed(info, qdrant.PayloadSchemaType_Keyword, fields...) {
		if err := s.indexOne(ctx, name, field, qdrant.FieldType_FieldTypeKeyword); err != nil {
			return err
		}
	}
	return nil
}

func unindexed(info *qdrant.CollectionInfo, kind qdrant.PayloadSchemaType, fields ...string) (lacking []string) {
	for _, field := range fields {
		if info.GetPayloadSchema()[field].GetDataType() != kind {
			lacking = append(lacking, field)
		}
	}
	return lacking
}

func (s *Store) indexOne(ctx context.Context, name, field string, kind qdrant.FieldType) error {
	request := &qdrant.CreateFieldIndexCollection{CollectionName: name, FieldName: field, Wait: qdrant.PtrOf(true), FieldType: &kind}
	return s.call(ctx, "index", s.times.create, func(ctx context.Context) error {
		return applied(s.client.CreateFieldIndex(ctx, request))
	})
}

func isQuantised(info *qdrant.CollectionInfo) bool {
	return info.GetConfig().GetQuantizationConfig().GetScalar() != nil
}

// quantise makes the collection's quantisation what is configured.
func (s *Store) quantise(ctx context.Context, name string, info *qdrant.CollectionInfo) error {
	if isQuantised(info) == s.cfg.Quantise {
		return nil
	}
	diff := qdrant.NewQuantizationDiffDisabled()
	if s.cfg.Quantise {
		diff = qdrant.NewQuantizationDiffScalar(int8Scalar())
	}
	return s.update(ctx, &qdrant.UpdateCollection{CollectionName: name, QuantizationConfig: diff})
}
