package kb_test

import (
	"testing"

	"citebot/internal/kb"
	"citebot/internal/kb/kbtest"
)

func TestMemoryVectorsKeepTheContract(t *testing.T) {
	kbtest.VectorStore(t, func(*testing.T) func() kb.VectorStore {
		m := kb.NewMemoryVectors(kbtest.Dim)
		return func() kb.VectorStore { return m }
	})
}
