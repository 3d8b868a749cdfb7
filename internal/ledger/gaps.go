package ledger

import (
	"context"
	"database/sql"
	"time"
)

const gapsSQL = `SELECT id, text, verdict, channel, platform,
		(SELECT count(*) FROM feedback WHERE turn = id AND NOT good), accepted
	FROM turns WHERE accepted >= ? AND id IN (
		SELECT id FROM turns WHERE verdict IN ('unsure', 'no_answer') AND accepted >= ? AND answer IS NOT NULL
		UNION ALL SELECT turn FROM feedback WHERE NOT good)
	ORDER BY id DESC`

// Gaps lists the questions since a time that have an answer whose verdict is unsure or
// no_answer, and those whose answer someone called bad; newest first.
func (l *Ledger) Gaps(ctx context.Context, since time.Time) ([]Gap, error) {
	gaps, err := collect(ctx, l.readers, func(r *sql.Rows, g *Gap) error {
		var asked int64
		err := r.Scan(&g.Turn, &g.Text, &g.Verdict, &g.Channel, &g.Platform, &g.Bad, &asked)
		g.Asked = timeOf(asked)
		return err
	}, gapsSQL, since.UnixMilli(), since.UnixMilli())
	return gaps, l.failed("listing gaps", err)
}
