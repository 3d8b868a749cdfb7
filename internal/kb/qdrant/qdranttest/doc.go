// Package qdranttest is a Qdrant for tests: its gRPC API over loopback, as Qdrant 1.18 answers
// it, for collections of one unnamed dense vector. It knows nothing of our own Qdrant package,
// so it drives the real program as well as a test's own process.
//
// # Begin
//
//	s := qdranttest.New(t, qdranttest.Options{})     // ends with the test
//	cmd.Env = append(cmd.Env, "QDRANT_URL="+s.URL()) // with Options.TLS, s.CA() vouches for it
//	err := s.Await(ctx, func() bool { return s.Calls(qdranttest.Upsert) > 0 })
//	sent := qdranttest.Requests[*qdrant.UpsertPoints](s)
//	if wrong := s.Complaints(); len(wrong) > 0 {
//		t.Errorf("rules broken: %q", wrong)
//	}
//
// Every method may be called from any goroutine.
//
// # What it does
//
// It implements the methods that have a constant here, such as [Upsert] and [CreateCollection],
// and of those what one vector a point, keyword and integer indexes, and cosine and dot
// product need. Everything else answers Unimplemented. A write is done when it is answered,
// and whole or not at all. A search is exact, whatever HNSW would miss.
//
// What filters, pages and conditional updates do was held against Qdrant's own engine, and the
// codes and texts of the usual errors against its source. Where Qdrant promises nothing the fake does what
// serves a test least: hits of one score come in an order of no meaning, a failing list of
// alias actions stays half done. With Options.Strict filters need their indexes; with
// Options.Optimised int8 collections answer from their bytes, so that a score is right only
// where the query asks for rescore.
//
// # Faults
//
// [Server.Misbehave] says what goes wrong with the next calls, as a [Mischief]: an error, a
// status that is not Completed, no reply, a connection that breaks before, in the middle of or
// after a write. [Server.Freeze] lets all calls hang, [Server.Stop] and [Server.Start] restart
// the server at its address with its data. [NewREST] is the port next to the right one,
// [NewSilent] a host that swallows everything.
//
// # Behind the client's back
//
// Points, Info, Collections and Aliases read what is stored; Insert, Forget, Strip, Drop and
// Recreate change it as another program or a lost disk would.
//
// # Rules
//
// [Server.Complaints] lists what a client should not have done, refused or not: a call without
// deadline or key, a write without wait, a filter on a key without index, a request above
// 32 MiB, a vector of another length or not finite, a collection that is not there, a value
// out of bounds.
package qdranttest
