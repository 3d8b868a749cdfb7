package main

import (
	"testing"

	"citebot/internal/kb"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func sections(headings ...string) (out []kb.Section) {
	for _, h := range headings {
		out = append(out, kb.Section{Heading: h, Level: 1})
	}
	return out
}

func TestSuggestions(t *testing.T) {
	returns := kb.Outline{Title: "Returns policy", Updated: "2026-09-14", Sections: sections("The short version", "How long you have"),
		Questions: []string{"Which address do I send it to?", "Can I return an item after 30 days?"}}
	refunds := kb.Outline{Title: "Refunds", Updated: "2026-08-03", Sections: sections("Frequently asked questions", "Where the money goes")}
	for _, test := range []struct {
		name     string
		language string
		docs     []kb.Outline
		want     []string
	}{
		{"none", "en", nil, nil},
		{"a document without words", "en", []kb.Outline{{Sections: sections(""), Questions: []string{""}}}, nil},
		{"the question that makes sense alone", "en", []kb.Outline{returns}, []string{"Can I return an item after 30 days?"}},
		{"a question made of a heading", "en", []kb.Outline{refunds}, []string{"What does “Refunds” say about where the money goes?"}},
		{"none made in another language", "de", []kb.Outline{refunds}, nil},
		{"a document's own before made ones", "en", []kb.Outline{refunds, returns},
			[]string{"Can I return an item after 30 days?", "What does “Refunds” say about where the money goes?"}},
		{"the newest first", "en", []kb.Outline{
			{Title: "Old rules", Updated: "2025-01-01", Sections: sections("Dogs")},
			{Title: "No date", Sections: sections("Cats")},
			{Title: "New rules", Updated: "2026-01-01", Sections: sections("Birds")},
		}, []string{"What does “New rules” say about birds?", "What does “Old rules” say about dogs?", "What does “No date” say about cats?"}},
		{"much the same last", "en", []kb.Outline{
			{Title: "EU delivery", Questions: []string{"Do you deliver to lockers?"}},
			{Title: "UK delivery", Questions: []string{"Do you deliver to PO boxes?"}},
			refunds,
		}, []string{"Do you deliver to lockers?", "What does “Refunds” say about where the money goes?", "Do you deliver to PO boxes?"}},
		{"names keep their capitals", "en", []kb.Outline{
			{Title: "Points", Sections: sections("Cairn Club levels", "Joining the Cairn Club")},
			{Title: "Prices", Sections: sections("VAT and customs")},
		}, []string{"What does “Points” say about Cairn Club levels?", "What does “Prices” say about VAT and customs?"}},
		{"headings that say nothing", "en", []kb.Outline{
			{Title: "A", Sections: sections("Overview", "1. Hours", "Note: dogs", "SHOUTED")},
			{Title: "B", Sections: sections("A heading that is so long that the question made of it would be cut off in Slack")},
		}, nil},
		{"at most four", "de", []kb.Outline{
			{Title: "Ein", Questions: []string{"Was ist das hier?"}}, {Title: "Zwei", Questions: []string{"Wer ist hier der Chef?"}},
			{Title: "Drei", Questions: []string{"Wann ist hier Schluss?"}}, {Title: "Vier", Questions: []string{"Wo ist der Ausgang?"}},
			{Title: "Fünf", Questions: []string{"Wie geht es weiter?"}},
		}, []string{"Was ist das hier?", "Wer ist hier der Chef?", "Wann ist hier Schluss?", "Wo ist der Ausgang?"}},
	} {
		if diff := cmp.Diff(test.want, suggestions(test.docs, test.language), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: %s", test.name, diff)
		}
	}
}
