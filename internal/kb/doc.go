// Package kb is the library: it follows a folder of documents and finds passages in it.
//
// # Scan is the truth
//
// One goroutine, in Run or in Sync, scans the folder, compares what it finds with the
// manifest, and applies the difference (scan.go, reload.go). File events and a ticker only
// ring its bell (watch.go), so an atomic save, a lost event, a swapped link and a change
// made while the program was down are all the same case. A file that is still changing
// waits; one that cannot be read keeps the version that answers.
//
// # A reload is one pointer
//
// Every document becomes passages (split.go), each with an ID that survives edits and a
// Hash that names one version of it. Both indexes, BM25 (lexicon.go, bm25.go) and vectors
// (memory.go or another VectorStore), are keyed by Hash. A reload puts what is new into
// both, publishes the next manifest, waits for the searches that still use the one before,
// and only then deletes what is gone. A search holds one manifest and drops every hit that
// it does not name, so it sees all of a reload or nothing of it; if an index refuses what
// is new, the manifest stays and nothing has changed.
//
// Vectors may come later than words (vectorqueue.go): a passage without one is
// ranked by BM25 alone until it has it, or compared by the search itself.
//
// # A store elsewhere
//
// A VectorStore in another process may be down, and other than it was left. Open and
// Search never wait for it: until it answers, and as soon as one call has failed, searches
// do without vectors and say so. Meanwhile one goroutine tries again, at growing intervals,
// to compare its keys with the manifest (vectorcheck.go); what is missing is put from the
// vector cache, what nobody wants is deleted. It does the same each half minute while all
// is well. What another bot's manifest has and ours lacks, no search returns.
//
// # State is disposable
//
// The state folder holds the manifest and document versions (manifest.go), the vector
// cache (vectorcache.go) and the lexical index. Each says by checksums whether it is
// whole; what is not is dropped with a log line and derived anew. One process at a time
// uses a state folder.
//
// # Who may call what
//
// Search, Similarity, Documents, Status and View may be called from any
// goroutine at any time and never block on a reload. Run and Sync are the writer: one of
// them, once at a time. Close comes last.
package kb
