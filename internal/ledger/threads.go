package ledger

import (
	"context"
	"database/sql"
)

// The condition on the state is that of its index.
const threadOfSQL = `SELECT
	(SELECT count(*) FROM turns WHERE platform = t.platform AND team = t.team AND channel = t.channel
		AND thread = t.thread AND state IN ('answered', 'posting', 'posted') AND via NOT IN ('person', 'share')),
	EXISTS (SELECT 1 FROM quiet WHERE platform = t.platform AND team = t.team AND channel = t.channel
		AND thread = t.thread)
	FROM (SELECT ? AS platform, ? AS team, ? AS channel, ? AS thread) AS t`

// Thread says what is remembered of a thread; the zero Thread when it is unknown.
func (l *Ledger) Thread(ctx context.Context, p Place) (Thread, error) {
	var t Thread
	err := l.threadOf.QueryRowContext(ctx, p.Platform, p.Team, p.Channel, p.Thread).Scan(&t.Answered, &t.Quiet)
	return t, l.failed("reading a thread", err)
}

// SetQuiet says whether the bot is to be quiet in a thread until it is named.
func (l *Ledger) SetQuiet(ctx context.Context, p Place, quiet bool) error {
	query := "DELETE FROM quiet WHERE platform = ? AND team = ? AND channel = ? AND thread = ?"
	if quiet {
		query = "INSERT INTO quiet (platform, team, channel, thread) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
	}
	err := l.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.Exec(query, p.Platform, p.Team, p.Channel, p.Thread)
		return err
	})
	return l.failed("making a thread quiet", err)
}
