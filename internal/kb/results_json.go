package kb

import "encoding/json"

// MarshalJSON writes the public form of `bot search --json` and /api/search.
func (r Results) MarshalJSON() ([]byte, error) {
	type hit struct {
		Rank    int      `json:"rank"`
		Path    string   `json:"path"`
		Title   string   `json:"title"`
		Section string   `json:"section"`
		Text    string   `json:"text"`
		Lines   Lines    `json:"lines"`
		Hash    string   `json:"hash"`
		Score   float64  `json:"score"`
		BM25    Leg      `json:"bm25"`
		Vector  Leg      `json:"vector"`
		Matched []string `json:"matched"`
	}
	out := struct {
		Hits     []hit    `json:"hits"`
		TookMS   float64  `json:"took_ms"`
		Degraded []string `json:"degraded"`
	}{Hits: []hit{}, TookMS: float64(r.Took.Microseconds()) / 1000, Degraded: append([]string{}, r.Degraded...)}
	for i, h := range r.Hits {
		best := h.Passages[h.Best]
		out.Hits = append(out.Hits, hit{i + 1, best.Path, best.Title, best.Section(), h.Text(), h.Lines(),
			best.Hash, h.Score, h.BM25, h.Vector, append([]string{}, h.Matched...)})
	}
	return json.Marshal(out)
}

// Text is the hit's passages as one text.
func (h Hit) Text() string {
	text := h.Passages[0].Text
	for _, p := range h.Passages[1:] {
		text += "\n" + p.Text
	}
	return text
}

// Lines covers the hit's passages.
func (h Hit) Lines() Lines {
	lines := h.Passages[0].Lines
	for _, p := range h.Passages[1:] {
		lines = lines.Join(p.Lines)
	}
	return lines
}
