package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

const (
	turnOfKeySQL = "SELECT coalesce(turn, 0) FROM keys WHERE key = ?"
	addKeySQL    = "INSERT INTO keys (key, turn, seen) VALUES (?, nullif(?, 0), ?) ON CONFLICT (key) DO NOTHING"

	// Ids go on from the millisecond in which the ledger was begun. A post's buttons name
	// its turn by id for years: they must mean no other turn when a damaged ledger was
	// replaced by a new one.
	addTurnSQL = `INSERT INTO turns (id, version, platform, team, channel, thread, message, user, name, via,
		state, reason, verdict, revision, outside, accepted, finished, draft, posts, audiences, reply_url, text, answer)
		VALUES (1 + coalesce((SELECT max(id) FROM turns), (SELECT begun FROM about)), 0, ?, ?, ?, ?, ?, ?, ?, ?,
		?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`
)

// Accept writes a turn together with the keys that make it the one it is. If one of them
// is known already, fresh is false, and id is the (oldest) turn that the known keys belong
// to, 0 if they belong to none; then only the other keys are written, as that turn's, so
// that a chain of aliases holds. Empty keys are ignored.
//
// ID, Version, Accepted and Finished are Accept's to set. State is Received, unless it is
// given as Dropped, then with its Reason and without its ReplyURL, or as Answered, where
// there is nothing to find out.
func (l *Ledger) Accept(ctx context.Context, t Turn, keys ...string) (id int64, fresh bool, err error) {
	now := time.Now()
	err = l.write(ctx, func(tx *sql.Tx) (err error) {
		var known bool
		if id, known, err = l.turnOf(tx, keys); err != nil {
			return err
		}
		if fresh = !known; fresh {
			if id, err = l.insert(tx, t, now); err != nil {
				return err
			}
		}
		return l.remember(tx, keys, id, now)
	})
	if err != nil {
		return 0, false, l.failed("accepting a message", err)
	}
	return id, fresh, nil
}

// turnOf finds the oldest turn that any of the keys belongs to.
func (l *Ledger) turnOf(tx *sql.Tx, keys []string) (id int64, known bool, err error) {
	for _, key := range keys {
		var of int64
		err := tx.Stmt(l.turnOfKey).QueryRow(key).Scan(&of)
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		if err != nil {
			return 0, false, err
		}
		known = true
		if id == 0 || of != 0 && of < id {
			id = of
		}
	}
	return id, known, nil
}

// insert writes a new turn.
func (l *Ledger) insert(tx *sql.Tx, t Turn, now time.Time) (id int64, err error) {
	var finished sql.NullInt64
	switch t.State {
	case Dropped:
		finished = sql.NullInt64{Int64: now.UnixMilli(), Valid: true}
		t.ReplyURL = ""
	case Answered:
		t.Reason = ""
	default:
		t.State, t.Reason = Received, ""
	}
	err = tx.Stmt(l.addTurn).QueryRow(t.Platform, t.Team, t.Channel, t.Thread, t.Message, t.User, t.Name, t.Via,
		t.State, t.Reason, t.Verdict, t.Revision, t.Outside, now.UnixMilli(), finished, t.Draft, listJSON(t.Posts),
		listJSON(t.Audiences), t.ReplyURL, t.Text, blob(t.Answer)).Scan(&id)
	return id, err
}

// remember writes those of the keys that are not known.
func (l *Ledger) remember(tx *sql.Tx, keys []string, id int64, now time.Time) error {
	for _, key := range keys {
		if key == "" {
			continue
		}
		if _, err := tx.Stmt(l.addKey).Exec(key, id, now.UnixMilli()); err != nil {
			return err
		}
	}
	return nil
}

// pruneStep is how many keys one transaction of Prune forgets: it is over in some
// milliseconds, and whoever waits to accept something comes next.
const pruneStep = 1000

// Prune forgets keys that are older than KeysKept. It is to be called now and then.
func (l *Ledger) Prune(ctx context.Context, now time.Time) error {
	before := now.Add(-KeysKept).UnixMilli()
	for {
		n, err := l.forget(ctx, before)
		if err != nil {
			return l.failed("forgetting old keys", err)
		}
		if n < pruneStep {
			return nil
		}
	}
}

func (l *Ledger) forget(ctx context.Context, before int64) (n int64, err error) {
	err = l.write(ctx, func(tx *sql.Tx) error {
		r, err := tx.Exec(fmt.Sprintf(`DELETE FROM keys WHERE key IN
			(SELECT key FROM keys WHERE seen < ? ORDER BY seen LIMIT %d)`, pruneStep), before)
		if err != nil {
			return err
		}
		n, err = r.RowsAffected()
		return err
	})
	return n, err
}
