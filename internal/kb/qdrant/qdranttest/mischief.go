package qdranttest

import (
	"context"
	"strconv"
	"time"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// A Mischief is what goes wrong with a call. Of Code, Status, Hang and the three Die one is
// set; Slow goes with each of them, and alone.
type Mischief struct {
	Method string        // whose calls it befalls; "": any
	Slow   time.Duration // before anything else is done

	Code       codes.Code // the call fails, with …
	Message    string     // … this text and, where it is not 0, …
	RetryAfter int        // … these seconds in the trailer "retry-after"

	Status qdrant.UpdateStatus // what a write tells instead of Completed, such as WaitTimeout
	Hang   bool                // no reply, until the client gives up or the server stops

	// Done: with Code, Status and Hang the call takes effect all the same, before they happen.
	Done bool

	DieBefore   bool // the connection breaks and nothing was done
	DieMidBatch bool // half of the points of a write are done, then the connection breaks
	DieAfter    bool // all is done, and the connection breaks before the reply
}

// trouble is a Mischief and how often it is still to happen; < 0: always.
type trouble struct {
	Mischief
	left int
}

// Misbehave makes the next n calls go wrong, after what is to go wrong already; n < 0: all,
// until Behave.
func (s *Server) Misbehave(n int, m Mischief) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mischief = append(s.mischief, trouble{m, n})
}

// Behave ends all that Misbehave began, for new calls.
func (s *Server) Behave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mischief = nil
}

// take is the first mischief that a method is in for.
func (s *Server) take(method string) Mischief {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.mischief {
		m := &s.mischief[i]
		if m.left != 0 && (m.Method == "" || m.Method == method) {
			m.left--
			return m.Mischief
		}
	}
	return Mischief{}
}

// perform does a call as its mischief has it.
func (s *Server) perform(ctx context.Context, m Mischief, req proto.Message, handler grpc.UnaryHandler) (any, error) {
	if err := sleep(ctx, m.Slow); err != nil {
		return nil, err
	}
	switch {
	case m.DieBefore, m.DieMidBatch, m.DieAfter:
		return s.die(ctx, m, req, handler)
	case m.Hang, m.Code != codes.OK:
		return s.fail(ctx, m, req, handler)
	case m.Status != qdrant.UpdateStatus_UnknownUpdateStatus:
		return s.misreport(ctx, m, req, handler)
	}
	return handler(ctx, req)
}

func (s *Server) fail(ctx context.Context, m Mischief, req proto.Message, handler grpc.UnaryHandler) (any, error) {
	if m.Done {
		if reply, err := handler(ctx, req); err != nil {
			return reply, err
		}
		s.ring()
	}
	if m.Hang {
		<-ctx.Done()
		return nil, status.FromContextError(ctx.Err()).Err()
	}
	if m.RetryAfter > 0 {
		_ = grpc.SetTrailer(ctx, metadata.Pairs("retry-after", strconv.Itoa(m.RetryAfter)))
	}
	return nil, status.Error(m.Code, m.Message)
}

func (s *Server) die(ctx context.Context, m Mischief, req proto.Message, handler grpc.UnaryHandler) (any, error) {
	defer s.wires.drop(ctx)
	defer s.ring()
	switch {
	case m.DieMidBatch:
		return handler(ctx, half(req))
	case m.DieAfter:
		return handler(ctx, req)
	}
	return nil, status.Error(codes.Unavailable, "qdranttest: died before the call")
}

// half is the first half of a write; other requests are as they are.
func half(req proto.Message) proto.Message {
	req = proto.Clone(req)
	switch r := req.(type) {
	case *qdrant.UpsertPoints:
		r.Points = r.Points[:len(r.Points)/2]
	case *qdrant.DeletePoints:
		if ids := r.GetPoints().GetPoints(); ids != nil {
			ids.Ids = ids.Ids[:len(ids.Ids)/2]
		}
	}
	return req
}

func (s *Server) misreport(ctx context.Context, m Mischief, req proto.Message, handler grpc.UnaryHandler) (any, error) {
	told := &qdrant.PointsOperationResponse{Result: &qdrant.UpdateResult{Status: m.Status}}
	if !m.Done {
		return told, nil
	}
	reply, err := handler(ctx, req)
	if r, ok := reply.(*qdrant.PointsOperationResponse); ok && err == nil {
		r.Result.Status = m.Status
	}
	return reply, err
}

func sleep(ctx context.Context, d time.Duration) error {
	if d == 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return status.FromContextError(ctx.Err()).Err()
	}
}

// Freeze lets calls hang: connections are accepted, nothing is answered or done until Thaw.
func (s *Server) Freeze() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.thawed == nil {
		s.thawed = make(chan struct{})
	}
}

// Thaw lets the calls go on that hang since Freeze and whose clients still wait.
func (s *Server) Thaw() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.thawed != nil {
		close(s.thawed)
		s.thawed = nil
	}
}

// hold waits while the server is frozen.
func (s *Server) hold(ctx context.Context) error {
	s.mu.Lock()
	thawed := s.thawed
	s.mu.Unlock()
	if thawed == nil {
		return nil
	}
	select {
	case <-thawed:
		return nil
	case <-ctx.Done():
		return status.FromContextError(ctx.Err()).Err()
	}
}
