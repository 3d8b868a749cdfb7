package main

import (
	"slices"
	"strings"

	"citebot/internal/chat/discord"
	"citebot/internal/kb"
)

// discordLibrary tells people in Discord about the documents, as far as they may know.
func discordLibrary(p *pipeline) discord.Library {
	return discord.Library{
		Documents: func(audiences []string) []discord.Document {
			return discordDocuments(p.library.Outlines(audiences), p.answerer.SourceURL)
		},
		Status: func(audiences []string) discord.Status {
			return discordStatus(p.library.Documents(), p.library.Status(), audiences)
		},
	}
}

// discordDocuments are the documents, the newest first.
func discordDocuments(outlines []kb.Outline, url func(hash string) string) []discord.Document {
	slices.SortStableFunc(outlines, func(a, b kb.Outline) int { return strings.Compare(b.Updated, a.Updated) })
	var docs []discord.Document
	for _, o := range outlines {
		d := discord.Document{Path: o.Path, Title: o.Title, Updated: o.Updated, URL: url(o.First)}
		for _, s := range o.Sections {
			d.Sections = append(d.Sections, discord.Section{Title: s.Heading, Level: s.Level, URL: url(s.First)})
		}
		docs = append(docs, d)
	}
	return docs
}

// discordStatus counts what the audiences may see, and what else is wrong without saying
// where.
func discordStatus(docs []kb.DocumentState, library kb.Status, audiences []string) discord.Status {
	s := discord.Status{
		Others:   len(library.Problems), // these are the operator's, and may name any file
		Degraded: degradedWords(library.Degraded),
		Loading:  !library.Ready,
	}
	for _, d := range docs {
		known := mayKnow(d, audiences)
		switch {
		case d.Problem != "" && known:
			s.Problems = append(s.Problems, discord.Problem{Path: d.Path, Reason: d.Problem})
		case d.Problem != "":
			s.Others++
		}
		if d.Passages == 0 || !known {
			continue
		}
		s.Documents++
		s.Passages += d.Passages
		if d.State == kb.Pending {
			s.Pending += d.Passages
		}
	}
	// A document waits as long as one of its passages does.
	s.Pending = min(s.Pending, library.Progress.VectorsTotal-library.Progress.Vectors)
	return s
}

// mayKnow says whether people of these audiences may hear of a file. One that was never read
// goes by its folder's rule alone; where that leaves it to everyone, the front matter that
// nobody could read may say otherwise, so then they may not.
func mayKnow(d kb.DocumentState, audiences []string) bool {
	return slices.Contains(audiences, d.Audience) && (d.Passages > 0 || d.Audience != "public")
}

// degradedWords name the legs of a search in people's words.
func degradedWords(legs []string) []string {
	var words []string
	for _, leg := range legs {
		switch leg {
		case "bm25":
			leg = "search by words"
		case "vectors":
			leg = "search by meaning"
		}
		words = append(words, leg)
	}
	return words
}
