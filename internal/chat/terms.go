package chat

import "citebot/internal/citations"

// contentWords are the words of text that are neither stop words nor a question's usual
// trimmings, each once, as they are spelled but in lower case.
func contentWords(text string) []string {
	var out []string
	seen := map[string]bool{}
	for _, w := range citations.Words(text) {
		if !citations.IsStop(w) && !fillers[w] && !seen[w] {
			seen[w] = true
			out = append(out, w)
		}
	}
	return out
}

var (
	// fillers are words of asking, not of what is asked for.
	fillers = citations.WordSet(`ask asked asking anyone anything different explain find get getting give go going good got
		happen happens hello help hi information kind know like long look looking make many mean much need
		new no ok okay one please possible question questions really say says show someone something still
		sure tell thank thanks thing things think try trying understand use used using want wanted way well
		wondering work works yes`)

	// pronouns stand for something said before.
	pronouns = citations.WordSet(`it its they them their theirs that this those these he she him her his hers there one
		ones same such else either both another other others`)
)
