package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"time"
)

//go:embed static
var staticFiles embed.FS

// An asset is one embedded file and the digest by which browsers keep it.
type asset struct {
	data []byte
	etag string
}

func loadAssets() (map[string]asset, error) {
	names, err := fs.ReadDir(staticFiles, "static")
	if err != nil {
		return nil, err
	}
	assets := make(map[string]asset)
	for _, entry := range names {
		data, err := staticFiles.ReadFile("static/" + entry.Name())
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(data)
		assets[entry.Name()] = asset{data, `"` + hex.EncodeToString(sum[:12]) + `"`}
	}
	return assets, nil
}

// showAsset lets browsers keep a file and ask each time whether it is still the same, so
// that a page and its script never come from two versions of the program.
func (s *Server) showAsset(w http.ResponseWriter, r *http.Request) {
	file, ok := s.assets[r.PathValue("name")]
	if !ok {
		s.notFound(w, r)
		return
	}
	w.Header().Set("Cache-Control", "public, no-cache")
	w.Header().Set("ETag", file.etag)
	http.ServeContent(w, r, r.PathValue("name"), time.Time{}, bytes.NewReader(file.data))
}
