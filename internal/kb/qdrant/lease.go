package qdrant

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"
	"github.com/google/uuid"
	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
)

// The lease is one point, in a collection beside the one that it is for: who holds it, and a
// beat that the holder raises every leaseRenew. Who has seen the same beat for leaseLasts
// takes the lease, on condition that holder and beat are still those: Qdrant applies a
// conditional update whole, so one of several takers wins. No clocks are compared.
//
// A holder that was away for too long may write once more before it knows. That costs
// nothing but a later check: what a bot finds that nobody wants it deletes, what is missing
// it puts.
const (
	fieldHolder = "holder"
	fieldBeat   = "beat"
)

var leaseID = uuid.NewSHA1(points, []byte("lease")).String()

// A claim is what the lease says.
type claim struct {
	holder string // a bot's name and, behind a slash, one of its process; "": nobody
	beat   int64
}

func (c claim) name() string {
	name, _, _ := strings.Cut(c.holder, "/")
	return name
}

// A lease is this bot's side of it.
type lease struct {
	holder string       // as in a claim
	lock   *flock.Flock // in place of the lease in Qdrant; nil: none

	mu    *sync.Mutex
	mine  claim     // what we last made it; zero: nothing yet
	until time.Time // we hold it at least until then
	seen  claim     // whose it was when we last looked
	since time.Time // since when it has been that
	made  string    // the collection that is known to be there
	told  string    // what was logged last
}

func openLease(cfg Config) (lease, error) {
	l := lease{holder: cmp.Or(strings.ReplaceAll(cfg.Holder, "/", "-"), uuid.NewString()) + "/" + uuid.NewString(), mu: &sync.Mutex{}}
	if cfg.LeaseFile == "" {
		return l, nil
	}
	l.lock = flock.New(cfg.LeaseFile)
	return l, nil
}

func (l *lease) close() error {
	if l.lock == nil {
		return nil
	}
	return l.lock.Close()
}

// writes says whether this bot may write a collection now. It renews the lease where half of
// it is gone, and takes it where nobody holds it.
func (s *Store) writes(ctx context.Context, name string) (bool, error) {
	l := &s.lease
	if l.lock != nil {
		ok, err := l.lock.TryLock()
		if err != nil {
			return false, fmt.Errorf("the writer's lock file: %w; let this user write it, or name another with lease_file in bot.yaml", err)
		}
		return ok, nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Until(l.until) > s.times.lasts-s.times.renew {
		return true, nil
	}
	err := s.renew(ctx, leaseOf(name))
	if err != nil && time.Now().Before(l.until) {
		return true, nil // the next try comes before it ends
	}
	return err == nil && time.Now().Before(l.until), err
}

func leaseOf(name string) string { return name + "_lease" }

// renew looks at the lease, and makes or keeps it ours if it may be. l.mu is held.
func (s *Store) renew(ctx context.Context, name string) error {
	l := &s.lease
	if err := s.makeLease(ctx, name); err != nil {
		return err
	}
	now, err := s.readLease(ctx, name)
	if err != nil {
		return s.leaseGone(err)
	}
	if now != l.seen {
		l.seen, l.since = now, time.Now()
	}
	if !l.mayTake(now, s.times.lasts) {
		l.until = time.Time{}
		return nil
	}
	began := time.Now()
	next := claim{l.holder, now.beat + 1}
	if err := s.writeLease(ctx, name, now, next); err != nil {
		return s.leaseGone(err)
	}
	if now, err = s.readLease(ctx, name); err != nil {
		return s.leaseGone(err)
	}
	l.seen, l.since = now, time.Now()
	if now == next {
		l.mine, l.until = next, began.Add(s.times.lasts)
	}
	return nil
}

// mayTake says whether a claim is ours, nobody's, or of one who has not been heard of. One
// in our name is ours from before a restart, unless we made one since: then another bot goes
// by our name.
func (l *lease) mayTake(now claim, lasts time.Duration) bool {
	before := l.mine == claim{} && now.name() == claim{holder: l.holder}.name()
	return now.holder == "" || now.holder == l.holder || before || time.Since(l.since) >= lasts
}

// leaseGone forgets a lease collection that is not there any more.
func (s *Store) leaseGone(err error) error {
	if isCode(err, codes.NotFound) {
		s.lease.made = ""
	}
	return err
}

// makeLease makes the lease's collection if it is not there.
func (s *Store) makeLease(ctx context.Context, name string) error {
	if s.lease.made == name {
		return nil
	}
	info, err := s.info(ctx, name)
	if isCode(err, codes.NotFound) {
		request := &qdrant.CreateCollection{
			CollectionName: name,
			VectorsConfig:  qdrant.NewVectorsConfig(&qdrant.VectorParams{Size: 1, Distance: qdrant.Distance_Dot}),
			ShardNumber:    qdrant.PtrOf(uint32(1)),
			Timeout:        qdrant.PtrOf(uint64(s.times.create.Seconds())),
		}
		if s.cfg.Replicas > 0 {
			request.ReplicationFactor = &s.cfg.Replicas
		}
		err = s.call(ctx, "create", s.times.create, func(ctx context.Context) error { return s.client.CreateCollection(ctx, request) })
		if err == nil || isCode(err, codes.AlreadyExists) {
			info, err = s.info(ctx, name)
		}
	}
	if err == nil {
		err = s.indexLease(ctx, name, info)
	}
	if err == nil {
		s.lease.made = name
	}
	return err
}

func (s *Store) indexLease(ctx context.Context, name string, info *qdrant.CollectionInfo) error {
	if info.GetPayloadSchema()[fieldBeat] == nil {
		request := &qdrant.CreateFieldIndexCollection{
			CollectionName: name, FieldName: fieldBeat, Wait: qdrant.PtrOf(true), FieldType: qdrant.FieldType_FieldTypeInteger.Enum(),
		}
		err := s.call(ctx, "index", s.times.create, func(ctx context.Context) error {
			return applied(s.client.CreateFieldIndex(ctx, request))
		})
		if err != nil {
			return err
		}
	}
	return s.index(ctx, name, info, fieldHolder)
}

func (s *Store) readLease(ctx context.Context, name string) (claim, error) {
	request := &qdrant.GetPoints{
		CollectionName: name, Ids: []*qdrant.PointId{qdrant.NewIDUUID(leaseID)}, WithPayload: qdrant.NewWithPayload(true),
		ReadConsistency: qdrant.NewReadConsistencyType(qdrant.ReadConsistencyType_Majority),
	}
	var found []*qdrant.RetrievedPoint
	err := s.call(ctx, "lease", s.times.ask, func(ctx context.Context) (err error) {
		found, err = s.client.Get(ctx, request)
		return err
	})
	if err != nil || len(found) == 0 {
		return claim{}, err
	}
	payload := found[0].GetPayload()
	return claim{payload[fieldHolder].GetStringValue(), payload[fieldBeat].GetIntegerValue()}, nil
}

// writeLease makes the lease say next if it says now; else nothing changes. Where there is
// none yet the first one wins, for the second finds one that says something else.
func (s *Store) writeLease(ctx context.Context, name string, now, next claim) error {
	request := &qdrant.UpsertPoints{
		CollectionName: name,
		Wait:           qdrant.PtrOf(true),
		Ordering:       &qdrant.WriteOrdering{Type: qdrant.WriteOrderingType_Strong},
		UpdateFilter: &qdrant.Filter{Must: []*qdrant.Condition{
			qdrant.NewMatchKeyword(fieldHolder, now.holder), qdrant.NewMatchInt(fieldBeat, now.beat),
		}},
		Points: []*qdrant.PointStruct{{
			Id:      qdrant.NewIDUUID(leaseID),
			Vectors: qdrant.NewVectorsDense([]float32{1}),
			Payload: map[string]*qdrant.Value{fieldHolder: qdrant.NewValueString(next.holder), fieldBeat: qdrant.NewValueInt(next.beat)},
		}},
	}
	return s.call(ctx, "lease", s.times.ask, func(ctx context.Context) error {
		return applied(s.client.Upsert(ctx, request))
	})
}

// giveBack lets the next bot write at once.
func (s *Store) giveBack(ctx context.Context, name string) {
	l := &s.lease
	if l.lock != nil {
		return // closing the file gives it back
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Now().Before(l.until) {
		_ = s.writeLease(ctx, leaseOf(name), l.mine, claim{"", l.mine.beat + 1}) // else it ends by itself
		l.until = time.Time{}
	}
}

// tell logs whose the lease is, when that changes.
func (l *lease) tell(log *slog.Logger, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := "ours"
	switch {
	case errors.Is(err, context.Canceled):
		return
	case err != nil:
		now = "unknown"
	case l.lock != nil && !l.lock.Locked(), l.lock == nil && !time.Now().Before(l.until):
		now = l.seen.name()
	}
	if now == l.told {
		return
	}
	l.told = now
	switch now {
	case "ours":
		log.Info("this bot writes the vectors in Qdrant")
	case "unknown":
		log.Warn("it is not known who writes the vectors in Qdrant", slog.Any("reason", err))
	default:
		log.Info("another bot writes the vectors in Qdrant, this one reads them", slog.String("writer", now))
	}
}
