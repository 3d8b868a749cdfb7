package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// turnColumns are what scanTurn reads.
const turnColumns = `id, version, platform, team, channel, thread, message, user, name, via,
	state, reason, verdict, revision, outside, accepted, finished, draft, posts, audiences, reply_url, text, answer`

const (
	turnByIDSQL = "SELECT " + turnColumns + " FROM turns WHERE id = ?"

	turnByMessageSQL = "SELECT " + turnColumns + ` FROM turns
		WHERE platform = ? AND team = ? AND channel = ? AND message = ? AND message <> ''
		ORDER BY id DESC LIMIT 1`

	turnByPostSQL = "SELECT " + turnColumns + ` FROM turns WHERE id = (
		SELECT id FROM (
			SELECT id, posts FROM turns WHERE platform = ? AND team = ? AND channel = ? AND state = 'posted'
			ORDER BY id DESC LIMIT 500)
		WHERE EXISTS (SELECT 1 FROM json_each(posts) WHERE value = ?) ORDER BY id DESC LIMIT 1)`

	updateTurnSQL = `UPDATE turns SET version = version + 1, text = ?, audiences = ?, state = ?, reason = ?,
		revision = ?, answer = ?, verdict = ?, posts = ?, draft = ?,
		finished = CASE WHEN ? THEN coalesce(finished, ?) END,
		reply_url = CASE WHEN ? THEN '' ELSE reply_url END
		WHERE id = ? AND version = ? RETURNING ` + turnColumns

	unfinishedSQL = `SELECT id, platform, team, channel, thread, user FROM turns
		WHERE state NOT IN ('posted', 'dropped') ORDER BY id`
)

// Reasons of turns that were refused: they do not count, see Count.
const (
	ReasonLimited = "limited" // the person, or the channel, has asked too much
	ReasonBusy    = "busy"    // too much waits already
)

// Turn reads a turn; ErrNotFound if there is none.
func (l *Ledger) Turn(ctx context.Context, id int64) (Turn, error) {
	t, err := scanTurn(l.turnByID.QueryRowContext(ctx, id))
	return t, l.failed(fmt.Sprintf("turn %d", id), err)
}

// ByMessage finds the newest turn that a message asked for; ErrNotFound if there is none.
func (l *Ledger) ByMessage(ctx context.Context, p Place, message string) (Turn, error) {
	t, err := scanTurn(l.readers.QueryRowContext(ctx, turnByMessageSQL, p.Platform, p.Team, p.Channel, message))
	return t, l.failed(fmt.Sprintf("the turn of message %q in channel %q", message, p.Channel), err)
}

// ByPost finds the turn that a post shows, among the 500 newest of its channel that are
// Posted; ErrNotFound if there is none.
func (l *Ledger) ByPost(ctx context.Context, p Place, post string) (Turn, error) {
	t, err := scanTurn(l.readers.QueryRowContext(ctx, turnByPostSQL, p.Platform, p.Team, p.Channel, post))
	return t, l.failed(fmt.Sprintf("the turn of post %q", post), err)
}

// Update writes Text, Audiences, State, Reason, Revision, Answer, Verdict, Posts and Draft
// of a turn, and returns it as it then is, with its new Version. If it has been updated
// since t was read the error is ErrChanged, and ErrNotFound if there is no such turn.
//
// A turn that becomes final is Finished now and its ReplyURL is erased. One that is opened
// again is not Finished any more.
func (l *Ledger) Update(ctx context.Context, t Turn) (Turn, error) {
	var now Turn
	err := l.write(ctx, func(tx *sql.Tx) (err error) {
		now, err = scanTurn(tx.Stmt(l.updateTurn).QueryRow(t.Text, listJSON(t.Audiences), t.State, t.Reason,
			t.Revision, blob(t.Answer), t.Verdict, listJSON(t.Posts), t.Draft,
			t.Final(), time.Now().UnixMilli(), t.Final(), t.ID, t.Version))
		if errors.Is(err, ErrNotFound) {
			return whyNot(tx, t.ID)
		}
		return err
	})
	if err != nil {
		return Turn{}, l.failed(fmt.Sprintf("updating turn %d", t.ID), err)
	}
	return now, nil
}

// whyNot says why an update found no turn to write to.
func whyNot(tx *sql.Tx, id int64) error {
	var there bool
	if err := tx.QueryRow("SELECT EXISTS (SELECT 1 FROM turns WHERE id = ?)", id).Scan(&there); err != nil {
		return err
	}
	if there {
		return ErrChanged
	}
	return ErrNotFound
}

// Unfinished lists the turns that are not final, oldest first, with no more of them than
// their ID, Platform, Team, Channel, Thread and User.
func (l *Ledger) Unfinished(ctx context.Context) ([]Turn, error) {
	turns, err := collect(ctx, l.readers, func(r *sql.Rows, t *Turn) error {
		return r.Scan(&t.ID, &t.Platform, &t.Team, &t.Channel, &t.Thread, &t.User)
	}, unfinishedSQL)
	return turns, l.failed("listing what is unfinished", err)
}

// History lists the newest turns of a thread that are Posted and have an Answer, at most
// limit of them, oldest first. With thread "" it is that of the whole channel. Turns from
// id before on (0: none) and those that were accepted before since are left out.
func (l *Ledger) History(ctx context.Context, p Place, before int64, since time.Time, limit int) ([]Turn, error) {
	if before == 0 {
		before = math.MaxInt64
	}
	query, args := historyQuery(p)
	turns, err := collect(ctx, l.readers, func(r *sql.Rows, t *Turn) (err error) {
		*t, err = scanTurn(r)
		return err
	}, query, append(args, before, since.UnixMilli(), max(limit, 0))...)
	slices.Reverse(turns)
	return turns, l.failed("the history of a thread", err)
}

// historyQuery wants before, since and limit as its last arguments. For a thread it says
// of the state what its index says, or that would not be used.
func historyQuery(p Place) (query string, args []any) {
	where, args := "platform = ? AND team = ? AND channel = ?", []any{p.Platform, p.Team, p.Channel}
	if p.Thread != "" {
		where, args = where+" AND thread = ? AND state IN ('answered', 'posting', 'posted')", append(args, p.Thread)
	}
	return "SELECT " + turnColumns + " FROM turns WHERE " + where + ` AND state = 'posted' AND answer IS NOT NULL
		AND id < ? AND accepted >= ? ORDER BY id DESC LIMIT ?`, args
}

// Count counts the turns that were accepted since a time: of a user in any channel, in a
// channel of any user, and so on: "" stands for any. It leaves out the turns that
// were refused (ReasonLimited, ReasonBusy) and those that are no questions (Via "person"
// and "share"), and of a channel those that nobody else there sees (Via "command").
func (l *Ledger) Count(ctx context.Context, p Place, user string, since time.Time) (n int, err error) {
	query, args := countQuery(p, user)
	err = l.readers.QueryRowContext(ctx, query, append(args, since.UnixMilli())...).Scan(&n)
	return n, l.failed("counting turns", err)
}

// countQuery wants since as its last argument. Its first conditions stand as they do in
// schema.sql, or the indexes for them would not be used.
func countQuery(p Place, user string) (query string, args []any) {
	query = `SELECT count(*) FROM turns
		WHERE NOT (state = 'dropped' AND reason IN ('limited', 'busy')) AND via NOT IN ('person', 'share')`
	for _, m := range []struct{ column, value string }{
		{"platform", p.Platform}, {"team", p.Team}, {"channel", p.Channel}, {"thread", p.Thread}, {"user", user},
	} {
		if m.value != "" {
			query, args = query+" AND "+m.column+" = ?", append(args, m.value)
		}
	}
	if p.Channel != "" && user == "" {
		query += " AND via <> 'command'"
	}
	return query + " AND accepted >= ?", args
}

// scanTurn reads one row of turnColumns. A row that is not there is ErrNotFound.
func scanTurn(row interface{ Scan(...any) error }) (Turn, error) {
	var t Turn
	var accepted int64
	var finished sql.NullInt64
	var posts, audiences string
	err := row.Scan(&t.ID, &t.Version, &t.Platform, &t.Team, &t.Channel, &t.Thread, &t.Message, &t.User, &t.Name, &t.Via,
		&t.State, &t.Reason, &t.Verdict, &t.Revision, &t.Outside, &accepted, &finished, &t.Draft, &posts, &audiences,
		&t.ReplyURL, &t.Text, &t.Answer)
	if errors.Is(err, sql.ErrNoRows) {
		return Turn{}, ErrNotFound
	}
	if err != nil {
		return Turn{}, err
	}
	t.Accepted = timeOf(accepted)
	if finished.Valid {
		t.Finished = timeOf(finished.Int64)
	}
	if t.Posts, err = listOf(posts); err != nil {
		return Turn{}, fmt.Errorf("posts of turn %d: %w", t.ID, err)
	}
	if t.Audiences, err = listOf(audiences); err != nil {
		return Turn{}, fmt.Errorf("audiences of turn %d: %w", t.ID, err)
	}
	return t, nil
}

// collect reads all rows of a query.
func collect[T any](ctx context.Context, db *sql.DB, scan func(*sql.Rows, *T) error, query string, args ...any) ([]T, error) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		var one T
		if err := scan(rows, &one); err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}

// listJSON is how a list stands in a column.
func listJSON(list []string) string {
	if len(list) == 0 {
		return "[]"
	}
	b, _ := json.Marshal(list) // strings always encode
	return string(b)
}

// listOf reads a column that listJSON made; nil if there is nothing in it.
func listOf(column string) (list []string, err error) {
	if column == "[]" {
		return nil, nil
	}
	err = json.Unmarshal([]byte(column), &list)
	return list, err
}

// blob is an answer as a column's value: one of no bytes is none.
func blob(b []byte) any {
	if len(b) == 0 {
		return nil
	}
	return b
}
