package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// SetFeedback stores what a person thinks of an answer, in place of what they thought
// before. An empty Comment keeps the old one unless Good changes. ErrNotFound if there is
// no such turn. With a key that is known nothing is written, and fresh is false: a
// delivery that comes again must not undo a later one.
func (l *Ledger) SetFeedback(ctx context.Context, f Feedback, keys ...string) (fresh bool, err error) {
	err = l.write(ctx, func(tx *sql.Tx) error {
		_, known, err := l.turnOf(tx, keys)
		if fresh = !known; err != nil || known {
			return err
		}
		r, err := tx.Exec(`INSERT INTO feedback (turn, user, good, comment) SELECT id, ?, ?, ? FROM turns WHERE id = ?
			ON CONFLICT (turn, user) DO UPDATE SET good = excluded.good, comment =
				CASE WHEN excluded.comment = '' AND excluded.good = good THEN comment ELSE excluded.comment END`,
			f.User, f.Good, f.Comment, f.Turn)
		if err != nil {
			return err
		}
		n, err := r.RowsAffected()
		if err == nil && n == 0 {
			err = ErrNotFound
		}
		if err != nil {
			return err
		}
		return l.remember(tx, keys, f.Turn, time.Now())
	})
	if err != nil {
		return false, l.failed(fmt.Sprintf("feedback on turn %d", f.Turn), err)
	}
	return fresh, nil
}

// Feedback lists what people think of a turn's answer, by user.
func (l *Ledger) Feedback(ctx context.Context, turn int64) ([]Feedback, error) {
	all, err := collect(ctx, l.readers, func(r *sql.Rows, f *Feedback) error {
		return r.Scan(&f.Turn, &f.User, &f.Good, &f.Comment)
	}, "SELECT turn, user, good, comment FROM feedback WHERE turn = ? ORDER BY user", turn)
	return all, l.failed(fmt.Sprintf("feedback on turn %d", turn), err)
}
