package citations

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// A Fault names the part or the source of an answer that does not hold, and why.
type Fault struct {
	Part   int // 1-based; 0: not about one part
	Source int // its number; 0: not about one source
	Reason string
}

func (f *Fault) Error() string {
	switch {
	case f.Part > 0 && f.Source > 0:
		return fmt.Sprintf("part %d, source [%d]: %s", f.Part, f.Source, f.Reason)
	case f.Part > 0:
		return fmt.Sprintf("part %d: %s", f.Part, f.Reason)
	case f.Source > 0:
		return fmt.Sprintf("source [%d]: %s", f.Source, f.Reason)
	}
	return "answer: " + f.Reason
}

// Check proves that an answer holds, or returns the first *Fault:
//
//   - verdict, parts, sources and text agree, and the text is Render of the parts;
//   - every part has a source, and sources are numbered by first use from 1, all used;
//   - every source's quote stands in its passage version, its pieces in order;
//   - every part's text stands in the quote and the passage of each of its sources, or is
//     written and what it states stands in the quotes of its sources (see Prove, which
//     proves more and comes before);
//   - no string holds a character that may not be shown.
//
// Texts are compared in their Normal form. passage returns the text of a passage version;
// it must know only versions that the asker may see.
func Check(a Answer, passage func(hash string) (text string, ok bool)) error {
	checks := []func() *Fault{
		func() *Fault { return verdict(a) },
		func() *Fault { return numbering(a) },
		func() *Fault { return quotes(a.Sources, passage) },
		func() *Fault { return verbatim(a, passage) },
		func() *Fault { return supported(a) },
		func() *Fault { return visible(a) },
	}
	for _, check := range checks {
		if f := check(); f != nil {
			return f
		}
	}
	return nil
}

// verdict checks that the answer is as full as its verdict says.
func verdict(a Answer) *Fault {
	switch {
	case a.Verdict != Answered && a.Verdict != Unsure && a.Verdict != NoAnswer:
		return &Fault{Reason: fmt.Sprintf("verdict %q is none", a.Verdict)}
	case a.Verdict == NoAnswer && len(a.Parts)+len(a.Sources) > 0:
		return &Fault{Reason: "no_answer has parts or sources"}
	case a.Verdict != NoAnswer && len(a.Parts) == 0:
		return &Fault{Reason: string(a.Verdict) + " has no parts"}
	case a.Verdict != Answered && a.Notice == "":
		return &Fault{Reason: string(a.Verdict) + " has no notice"}
	case !(a.Confidence >= 0 && a.Confidence <= 1):
		return &Fault{Reason: fmt.Sprintf("confidence %v is not between 0 and 1", a.Confidence)}
	case a.Text != a.plain():
		return &Fault{Reason: "text is not the rendering of the parts"}
	}
	return nil
}

// plain is what Text must be: the parts, or the notice where there are none.
func (a Answer) plain() string {
	if len(a.Parts) == 0 {
		return a.Notice
	}
	return Render(a.Parts)
}

// numbering checks that every part has sources, that they exist, and that their numbers
// run from 1 in the order of first use with none left over.
func numbering(a Answer) *Fault {
	used := 0
	for i, p := range a.Parts {
		if len(p.Sources) == 0 {
			return &Fault{Part: i + 1, Reason: "no source"}
		}
		for j, n := range p.Sources {
			switch {
			case n < 1 || n > len(a.Sources):
				return &Fault{Part: i + 1, Source: n, Reason: "no such source"}
			case n > used+1:
				return &Fault{Part: i + 1, Source: n, Reason: fmt.Sprintf("used before [%d]", used+1)}
			case slices.Contains(p.Sources[:j], n):
				return &Fault{Part: i + 1, Source: n, Reason: "named twice"}
			}
			used = max(used, n)
		}
	}
	for i, s := range a.Sources {
		if s.N != i+1 {
			return &Fault{Source: s.N, Reason: fmt.Sprintf("stands in place %d", i+1)}
		}
	}
	if used < len(a.Sources) {
		return &Fault{Source: used + 1, Reason: "no part uses it"}
	}
	return nil
}

// quotes checks each source's quote against its passage version.
func quotes(sources []Source, passage func(string) (string, bool)) *Fault {
	for _, s := range sources {
		text, ok := passage(s.Hash)
		if !ok {
			return &Fault{Source: s.N, Reason: "passage " + s.Hash + " is unknown"}
		}
		if Normal(s.Quote) == "" {
			return &Fault{Source: s.N, Reason: "no quote"}
		}
		if !inOrder(Normal(text), pieces(s.Quote)) {
			return &Fault{Source: s.N, Reason: fmt.Sprintf("%s does not hold the quote", s.Path)}
		}
	}
	return nil
}

// pieces are the unbroken pieces of a quote in Normal form.
func pieces(quote string) []string { return strings.Split(Normal(quote), Gap) }

// inOrder reports whether text holds the pieces one after the other.
func inOrder(text string, pieces []string) bool {
	for _, p := range pieces {
		_, after, ok := strings.Cut(text, p)
		if !ok {
			return false
		}
		text = after
	}
	return true
}

// verbatim checks that each part's text stands in all its sources: in the quote, which
// people see, and in the passage, so that it does not bridge a gap of the quote.
func verbatim(a Answer, passage func(string) (string, bool)) *Fault {
	for i, p := range a.Parts {
		if p.Text == "" || p.Text != Normal(p.Text) {
			return &Fault{Part: i + 1, Reason: "text is empty or not in normal form"}
		}
		if p.Written {
			continue
		}
		for _, n := range p.Sources {
			source := a.Sources[n-1]
			text, _ := passage(source.Hash)
			if !strings.Contains(Normal(source.Quote), p.Text) || !strings.Contains(Normal(text), p.Text) {
				return &Fault{Part: i + 1, Source: n, Reason: "the source does not hold the text"}
			}
		}
	}
	return nil
}

// supported checks that what a written part states is in the quotes that people see beside
// it, or in the titles and sections over them.
func supported(a Answer) *Fault {
	for i, p := range a.Parts {
		if !p.Written {
			continue
		}
		var rests []Excerpt
		for _, n := range p.Sources {
			s := a.Sources[n-1]
			rests = append(rests, Excerpt{Text: Normal(s.Quote), Above: Normal(s.Title + "\n" + s.Section)})
		}
		if refused := stands(p.Text, rests); refused != nil {
			return &Fault{Part: i + 1, Reason: "its sources do not hold it: " + refused.Error()}
		}
	}
	return nil
}

// visible checks every string that people get to see.
func visible(a Answer) *Fault {
	if hides(a.Text) || hides(a.Notice) {
		return &Fault{Reason: "text or notice holds a hidden character"}
	}
	for _, s := range a.Sources {
		if hides(s.Path, s.Title, s.Section, s.Quote, s.Updated, s.URL, s.Hash) {
			return &Fault{Source: s.N, Reason: "holds a hidden character"}
		}
	}
	for _, n := range a.Nearest {
		if hides(n.Path, n.Title, n.Section, n.URL) {
			return &Fault{Reason: "a nearest document holds a hidden character"}
		}
	}
	return nil
}

// hides reports whether one of texts is not valid UTF-8 or holds a hidden character.
func hides(texts ...string) bool {
	return slices.ContainsFunc(texts, func(s string) bool {
		return !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return shown(r) < 0 })
	})
}
