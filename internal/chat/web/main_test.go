package web

import (
	"testing"

	"go.uber.org/goleak"
)

// What runs before the tests do is bleve's: package chat brings it along, and it starts
// its workers in init.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) }
