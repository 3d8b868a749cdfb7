package qdrant

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"
	"github.com/google/uuid"
	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// The lease is one point, in a collection beside the one that it is for: who holds it, and a
// beat that the holder raises whenever times.renew has gone. Who has seen the same beat for
// times.lasts takes the lease, on condition that holder and beat are still those: Qdrant
// applies a conditional update whole, so one of several takers wins. No clocks are compared.
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

	// One slot, of who uses what stands below. It is held over calls to the server, so one
	// waits for it no longer than one's own deadline.
	turn  chan struct{}
	mine  claim     // what we last made it; zero: nothing yet
	until time.Time // we hold it at least until then
	seen  claim     // whose it was when we last looked
	since time.Time // since when it has been that; zero: we never looked
	made  string    // the collection that is known to be there, and fit
	told  string    // what was logged last
}

func openLease(cfg Config) (lease, error) {
	l := lease{holder: cmp.Or(strings.ReplaceAll(cfg.Holder, "/", "-"), uuid.NewString()) + "/" + uuid.NewString(), turn: make(chan struct{}, 1)}
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

// take waits for the slot, and leave frees it.
func (l *lease) take(ctx context.Context) error {
	select {
	case l.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return status.FromContextError(ctx.Err()).Err()
	}
}

func (l *lease) leave() { <-l.turn }

// locks takes the lock file, or keeps it. One that was deleted is nobody's: who comes next
// makes and locks another, so that ours counts no more.
func (l *lease) locks() (bool, error) {
	got, err := l.lock.TryLock()
	if !got || l.isThere() {
		return got, err
	}
	if err := l.lock.Close(); err != nil {
		return false, err
	}
	got, err = l.lock.TryLock()
	return got && l.isThere(), err
}

// isThere says whether the file that we have locked is the one of that name.
func (l *lease) isThere() bool {
	locked, err1 := l.lock.Stat()
	named, err2 := os.Stat(l.lock.Path())
	return err1 == nil && err2 == nil && os.SameFile(locked, named)
}

// writes says whether this bot may write a collection now. It renews the lease where it was
// not renewed for a while, and takes it where nobody holds it.
func (s *Store) writes(ctx context.Context, name string) (bool, error) {
	l, began := &s.lease, time.Now()
	if err := l.take(ctx); err != nil {
		return false, s.explain(ctx, "lease", time.Since(began), err)
	}
	defer l.leave()
	if l.lock != nil {
		got, err := l.locks()
		if err != nil {
			return false, fmt.Errorf("the writer's lock file: %w; let this user write it, or name another with lease_file in bot.yaml", err)
		}
		return got, nil
	}
	if time.Until(l.until) > s.times.lasts-s.times.renew {
		return true, nil
	}
	err := s.renew(ctx, leaseOf(name))
	if err != nil {
		l.made = "" // it may have become another
	}
	if time.Now().Before(l.until) {
		return true, nil // after an error the next try comes before it ends
	}
	return false, err
}

func leaseOf(name string) string { return name + "_lease" }

// renew looks at the lease, and makes or keeps it ours if it may be. Like all that follows it
// has the slot.
func (s *Store) renew(ctx context.Context, name string) error {
	l := &s.lease
	if err := s.makeLease(ctx, name); err != nil {
		return err
	}
	now, err := s.readLease(ctx, name)
	if err != nil {
		return err
	}
	if now != l.seen || l.since.IsZero() {
		l.seen, l.since = now, time.Now()
	}
	if !l.mayTake(now, s.times.lasts) {
		l.until = time.Time{}
		return nil
	}
	began := time.Now()
	next := claim{l.holder, now.beat + 1}
	if err := s.writeLease(ctx, name, now, next); err != nil {
		return err
	}
	if now, err = s.readLease(ctx, name); err != nil {
		return err
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

// nap is how long to wait for the next look: not beyond the moment at which another's lease
// may be taken. As a beat counts from when it is seen, the looks before are frequent, too:
// times.look and times.lasts are how long nobody writes after a holder's end.
func (l *lease) nap(t times) time.Duration {
	left := time.Until(l.since.Add(t.lasts))
	if left <= 0 {
		return t.look
	}
	return min(left, t.look)
}

// makeLease makes the lease's collection if it is not there.
func (s *Store) makeLease(ctx context.Context, name string) error {
	if s.lease.made == name {
		return nil
	}
	info, err := s.leaseInfo(ctx, name)
	if isCode(err, codes.NotFound) {
		if err = s.createLease(ctx, name); err == nil || isCode(err, codes.AlreadyExists) {
			info, err = s.leaseInfo(ctx, name)
		}
	}
	if err != nil {
		return err
	}
	if err := s.mendLease(ctx, name, info); err != nil {
		return err
	}
	s.lease.made = name
	return nil
}

func (s *Store) createLease(ctx context.Context, name string) error {
	request := &qdrant.CreateCollection{
		CollectionName: name,
		VectorsConfig:  qdrant.NewVectorsConfig(&qdrant.VectorParams{Size: 1, Distance: qdrant.Distance_Dot}),
		ShardNumber:    qdrant.PtrOf(uint32(1)),
		Metadata:       markLease(),
		Timeout:        qdrant.PtrOf(uint64(s.times.create.Seconds())),
	}
	if s.cfg.Replicas > 0 {
		request.ReplicationFactor = &s.cfg.Replicas
	}
	return s.call(ctx, "create", s.times.create, func(ctx context.Context) error { return s.client.CreateCollection(ctx, request) })
}

func markLease() map[string]*qdrant.Value {
	return map[string]*qdrant.Value{metaLease: qdrant.NewValueInt(format)}
}

func isLease(info *qdrant.CollectionInfo) bool {
	return info.GetConfig().GetMetadata()[metaLease].GetIntegerValue() != 0
}

// leaseInfo tells of the lease's collection, and refuses one that is not ours. Without our
// mark that is one with anything but the lease in it.
func (s *Store) leaseInfo(ctx context.Context, name string) (*qdrant.CollectionInfo, error) {
	info, err := s.info(ctx, name)
	if err != nil || isLease(info) {
		return info, err
	}
	page, _, err := s.page(ctx, name, nil)
	if err != nil {
		return nil, err
	}
	others := slices.ContainsFunc(page, func(p *qdrant.RetrievedPoint) bool { return p.GetId().GetUuid() != leaseID })
	if others || info.GetConfig().GetParams().GetVectorsConfig().GetParams().GetSize() != 1 {
		return nil, s.refused("collection %s, for the writer's lease, is not citebot's; name another than %s with QDRANT_COLLECTION, or delete it",
			name, strings.TrimSuffix(name, leaseOf("")))
	}
	return info, nil
}

// mendLease is for each bot, before it can know who writes.
func (s *Store) mendLease(ctx context.Context, name string, info *qdrant.CollectionInfo) error {
	if !isLease(info) {
		if err := s.update(ctx, &qdrant.UpdateCollection{CollectionName: name, Metadata: markLease()}); err != nil {
			return err
		}
	}
	if len(unindexed(info, qdrant.PayloadSchemaType_Integer, fieldBeat)) > 0 {
		if err := s.indexOne(ctx, name, fieldBeat, qdrant.FieldType_FieldTypeInteger); err != nil {
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
			orEmpty(now.holder == "", fieldHolder, qdrant.NewMatchKeyword(fieldHolder, now.holder)),
			orEmpty(now.beat == 0, fieldBeat, qdrant.NewMatchInt(fieldBeat, now.beat)),
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

// orEmpty is a condition that a field without a value meets, too, where that reads the same:
// a lease that lost its payload is nobody's.
func orEmpty(reads bool, field string, match *qdrant.Condition) *qdrant.Condition {
	if !reads {
		return match
	}
	return qdrant.NewFilterAsCondition(&qdrant.Filter{Should: []*qdrant.Condition{match, qdrant.NewIsEmpty(field)}})
}

// giveBack lets the next bot write at once; where it fails, the lease ends by itself. Whose it
// is Qdrant knows best: the reply to the last renewal may have been lost.
func (s *Store) giveBack(ctx context.Context, name string) {
	l := &s.lease
	ctx, cancel := context.WithTimeout(ctx, s.times.ask)
	defer cancel()
	if l.lock != nil || l.take(ctx) != nil { // closing a file gives it back
		return
	}
	defer l.leave()
	l.until = time.Time{}
	if l.since.IsZero() {
		return
	}
	if now, err := s.readLease(ctx, leaseOf(name)); err == nil && now.holder == l.holder {
		_ = s.writeLease(ctx, leaseOf(name), now, claim{"", now.beat + 1})
	}
}

// tell logs whose the lease is, when that changes.
func (l *lease) tell(log *slog.Logger, err error) {
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
