package qdrant

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
)

// A collection's metadata say that it is citebot's, and of which model. Without them, points
// that are none of ours would be another program's, and mending the collection its end.
const (
	metaModel  = "citebot_model"
	metaFormat = "citebot_format"
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
	name, err = s.choose(ctx)
	s.use(name)
	return name, err
}

func (s *Store) choose(ctx context.Context) (name string, err error) {
	if err := s.checkVersion(ctx); err != nil {
		return "", err
	}
	for _, name := range s.names() {
		used, err := s.prepareOne(ctx, name)
		switch {
		case err != nil:
			return "", err
		case used:
			return name, nil
		}
	}
	return "", fmt.Errorf("Qdrant at %s: collections %s hold vectors of other models; name another with QDRANT_COLLECTION", s.address, strings.Join(s.names(), " and "))
}

// names are the collections that may be ours, best first.
func (s *Store) names() []string {
	if s.cfg.Collection == "" {
		return []string{CollectionName(s.cfg.Model, s.cfg.Dim)}
	}
	return []string{s.cfg.Collection, s.cfg.Collection + "_" + suffix(s.cfg.Model, s.cfg.Dim)}
}

// use notes which collection is in use; "" none.
func (s *Store) use(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.collection = name
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
		return fmt.Errorf("Qdrant at %s is of version %s; citebot needs %d.%d or newer: upgrade it", s.address, version, oldest[0], oldest[1])
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

// prepareOne makes one collection fit for use, and says whether it is one for this model.
func (s *Store) prepareOne(ctx context.Context, name string) (used bool, err error) {
	info, err := s.info(ctx, name)
	if isCode(err, codes.NotFound) {
		if err = s.create(ctx, name); err == nil || isCode(err, codes.AlreadyExists) {
			info, err = s.info(ctx, name)
		}
	}
	if err != nil {
		return false, err
	}
	if used, err = s.fits(ctx, name, info); err != nil || !used {
		return used, err
	}
	if err := s.index(ctx, name, info, fieldAudience, fieldPath); err != nil {
		return false, err
	}
	return true, s.quantise(ctx, name, info)
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
	if err == nil {
		s.log.Info("collection made in Qdrant", slog.String("collection", name), slog.Int("dim", s.cfg.Dim))
	}
	return err
}

func (s *Store) mark() map[string]*qdrant.Value {
	return map[string]*qdrant.Value{metaModel: qdrant.NewValueString(s.cfg.Model), metaFormat: qdrant.NewValueInt(format)}
}

// int8Scalar keeps a byte a value in memory, without the outermost hundredth of them.
func int8Scalar() *qdrant.ScalarQuantization {
	return &qdrant.ScalarQuantization{Type: qdrant.QuantizationType_Int8, Quantile: qdrant.PtrOf(float32(0.99)), AlwaysRam: qdrant.PtrOf(true)}
}

// fits says whether a collection is for this model. One of another model of ours is not; one
// that is not ours is an error, unless nothing is in it.
func (s *Store) fits(ctx context.Context, name string, info *qdrant.CollectionInfo) (bool, error) {
	model := info.GetConfig().GetMetadata()[metaModel].GetStringValue()
	if model != "" && model != s.cfg.Model {
		return false, nil
	}
	params := info.GetConfig().GetParams().GetVectorsConfig().GetParams()
	if params.GetSize() != uint64(s.cfg.Dim) || params.GetDistance() != qdrant.Distance_Cosine {
		return false, fmt.Errorf("Qdrant at %s: collection %s holds vectors of %d values by %s, this bot's have %d by Cosine; name another with QDRANT_COLLECTION, or delete it",
			s.address, name, params.GetSize(), params.GetDistance(), s.cfg.Dim)
	}
	if model == "" {
		return s.adopt(ctx, name)
	}
	return true, nil
}

// adopt makes an empty collection ours.
func (s *Store) adopt(ctx context.Context, name string) (bool, error) {
	var n uint64
	err := s.call(ctx, "count", s.times.ask, func(ctx context.Context) (err error) {
		n, err = s.client.Count(ctx, &qdrant.CountPoints{CollectionName: name, Exact: qdrant.PtrOf(true)})
		return err
	})
	if err == nil && n > 0 {
		err = fmt.Errorf("Qdrant at %s: collection %s holds %d points and is not citebot's; name another with QDRANT_COLLECTION, or delete it", s.address, name, n)
	}
	if err != nil {
		return false, err
	}
	return true, s.update(ctx, &qdrant.UpdateCollection{CollectionName: name, Metadata: s.mark()})
}

func (s *Store) update(ctx context.Context, request *qdrant.UpdateCollection) error {
	return s.call(ctx, "update", s.times.create, func(ctx context.Context) error { return s.client.UpdateCollection(ctx, request) })
}

// index indexes payload fields, before they are in a filter: strict mode refuses others.
func (s *Store) index(ctx context.Context, name string, info *qdrant.CollectionInfo, fields ...string) error {
	for _, field := range fields {
		if info.GetPayloadSchema()[field] != nil {
			continue
		}
		request := &qdrant.CreateFieldIndexCollection{
			CollectionName: name, FieldName: field, Wait: qdrant.PtrOf(true), FieldType: qdrant.FieldType_FieldTypeKeyword.Enum(),
		}
		err := s.call(ctx, "index", s.times.create, func(ctx context.Context) error {
			return applied(s.client.CreateFieldIndex(ctx, request))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// quantise makes the collection's quantisation what is configured.
func (s *Store) quantise(ctx context.Context, name string, info *qdrant.CollectionInfo) error {
	is := info.GetConfig().GetQuantizationConfig().GetScalar() != nil
	if is == s.cfg.Quantise {
		return nil
	}
	diff := qdrant.NewQuantizationDiffDisabled()
	if s.cfg.Quantise {
		diff = qdrant.NewQuantizationDiffScalar(int8Scalar())
	}
	return s.update(ctx, &qdrant.UpdateCollection{CollectionName: name, QuantizationConfig: diff})
}
