package ledger

import (
	"context"
	"crypto/rand"
	"database/sql"
	_ "embed"
	"fmt"
	"time"
)

//go:embed schema.sql
var schema string

// What a ledger file says about itself in its header. A change of schema.sql needs a new
// version and, in makeSchema, the step from the one before.
const (
	application   = 0x63626c67 // "cblg": the file is one of ours
	schemaVersion = 1
)

// makeSchema brings a file that inspect has passed to schemaVersion.
func makeSchema(tx *sql.Tx) error {
	// Read again, in the transaction: another process may have been faster.
	h, err := readHeader(context.Background(), tx)
	if err != nil || h.version == schemaVersion {
		return err
	}
	if _, err := tx.Exec(schema); err != nil {
		return err
	}
	secret := make([]byte, 32)
	rand.Read(secret) // never fails: https://pkg.go.dev/crypto/rand#Read
	if _, err := tx.Exec("INSERT INTO about (one, begun, secret) VALUES (1, ?, ?)", time.Now().UnixMilli(), secret); err != nil {
		return err
	}
	_, err = tx.Exec(fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d", application, schemaVersion))
	return err
}

// A header is what a database file says about itself.
type header struct {
	application, version, tables int
}

// A querier is a *sql.DB or a *sql.Tx.
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func readHeader(ctx context.Context, q querier) (h header, err error) {
	err = q.QueryRowContext(ctx, `SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema)
		FROM pragma_application_id, pragma_user_version`).Scan(&h.application, &h.version, &h.tables)
	return h, err
}

// empty reports whether nobody has written to the file yet.
func (h header) empty() bool { return h == header{} }
