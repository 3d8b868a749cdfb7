package citations

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// library is what the answers of these tests rest on: passage texts by hash.
type library map[string]string

func (l library) passage(hash string) (string, bool) {
	text, ok := l[hash]
	return text, ok
}

// drawAnswer draws an answer that holds: every passage has numbered statements, some of
// which are quoted with gaps between them. Their numbers make each statement unique.
func drawAnswer(t *rapid.T) (Answer, library) {
	a, texts := Answer{Verdict: Answered, Confidence: 0.9}, library{}
	for n := 1; n <= rapid.IntRange(1, 4).Draw(t, "sources"); n++ {
		var all, quoted []string
		for i := range rapid.IntRange(1, 4).Draw(t, "statements") {
			words := rapid.StringMatching(`[a-zé]{1,6}( [a-z]{1,6}){0,3}`).Draw(t, "words")
			all = append(all, fmt.Sprintf("%s %d%d00.", words, n, i+1))
		}
		for i, s := range all {
			if i == 0 || rapid.Bool().Draw(t, "used") {
				quoted = append(quoted, s)
				kind := rapid.SampledFrom([]PartKind{Sentence, Item, Header, Row}).Draw(t, "kind")
				a.Parts = append(a.Parts, Part{Text: s, Kind: kind, Sources: []int{n}})
			}
		}
		hash := strconv.Itoa(n)
		texts[hash] = strings.Join(all, "\n")
		a.Sources = append(a.Sources, Source{N: n, Hash: hash, Path: "a.md", Quote: strings.Join(quoted, Gap)})
	}
	a.Text = Render(a.Parts)
	return a, texts
}

func TestCheckAcceptsWhatHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, texts := drawAnswer(t)
		if err := Check(a, texts.passage); err != nil {
			t.Fatalf("Check: %v\n%+v", err, a)
		}
	})
}

// mutations each break an answer that held. Where the text is not what they are about
// they render it again, so that nothing but their own rule can notice them.
var mutations = map[string]func(t *rapid.T, a *Answer, texts library){
	"drop a part's sources": func(t *rapid.T, a *Answer, _ library) {
		drawPart(t, a).Sources = nil
	},
	"drop a source": func(t *rapid.T, a *Answer, _ library) {
		i := rapid.IntRange(0, len(a.Sources)-1).Draw(t, "source")
		a.Sources = append(a.Sources[:i:i], a.Sources[i+1:]...)
	},
	"add a source nothing uses": func(t *rapid.T, a *Answer, _ library) {
		extra := a.Sources[0]
		extra.N = len(a.Sources) + 1
		a.Sources = append(a.Sources, extra)
	},
	"mark out of range": func(t *rapid.T, a *Answer, _ library) {
		drawPart(t, a).Sources = []int{rapid.SampledFrom([]int{-1, 0, len(a.Sources) + 1}).Draw(t, "n")}
	},
	"name a source twice": func(t *rapid.T, a *Answer, _ library) {
		p := drawPart(t, a)
		p.Sources = append(p.Sources, p.Sources[0])
	},
	"number sources otherwise": func(t *rapid.T, a *Answer, _ library) {
		drawSource(t, a).N++
	},
	"use sources in another order": func(t *rapid.T, a *Answer, _ library) {
		a.Parts[0].Sources = []int{len(a.Sources) + 1}
		a.Sources = append(a.Sources, a.Sources[0])
	},
	"change a digit in a quote": func(t *rapid.T, a *Answer, _ library) {
		s := drawSource(t, a)
		s.Quote = changeDigit(s.Quote)
	},
	"change a digit in a part": func(t *rapid.T, a *Answer, _ library) {
		p := drawPart(t, a)
		p.Text = changeDigit(p.Text)
	},
	"change a digit in the passage": func(t *rapid.T, a *Answer, texts library) {
		s := drawSource(t, a)
		texts[s.Hash] = changeDigit(texts[s.Hash])
	},
	"forget a passage": func(t *rapid.T, a *Answer, texts library) {
		delete(texts, drawSource(t, a).Hash)
	},
	"turn a quote round": func(t *rapid.T, a *Answer, texts library) {
		s := drawSource(t, a)
		texts[s.Hash] += "\nmore 9900."
		s.Quote = "more 9900." + Gap + s.Quote
	},
	"bridge a gap": func(t *rapid.T, a *Answer, texts library) {
		s := drawSource(t, a)
		texts[s.Hash] += "\nbetween.\nmore 9900."
		s.Quote += Gap + "more 9900."
		a.Parts = append(a.Parts, Part{Text: Normal(s.Quote), Sources: []int{s.N}})
	},
	"empty a quote": func(t *rapid.T, a *Answer, _ library) {
		drawSource(t, a).Quote = " \n"
	},
	"empty a part": func(t *rapid.T, a *Answer, _ library) {
		drawPart(t, a).Text = ""
	},
	"another text": func(t *rapid.T, a *Answer, _ library) {
		a.Text += " [1]"
	},
	"no_answer with parts": func(t *rapid.T, a *Answer, _ library) {
		a.Verdict, a.Notice = NoAnswer, "No."
	},
	"unsure without notice": func(t *rapid.T, a *Answer, _ library) {
		a.Verdict = Unsure
	},
	"answered without parts": func(t *rapid.T, a *Answer, _ library) {
		*a = Answer{Verdict: Answered}
	},
	"a verdict of its own": func(t *rapid.T, a *Answer, _ library) {
		a.Verdict = "yes"
	},
	"sure beyond 1": func(t *rapid.T, a *Answer, _ library) {
		a.Confidence = 1.01
	},
	"hide a character": func(t *rapid.T, a *Answer, _ library) {
		r := rapid.SampledFrom([]rune{0, 0x1b, 0xad, 0x200b, 0x202e, 0x2066, 0xe000, 0xe0041, 0xfeff}).Draw(t, "rune")
		at := rapid.SampledFrom([]*string{&a.Notice, &a.Sources[0].Title, &a.Sources[0].Quote, &a.Sources[0].URL}).Draw(t, "field")
		*at += string(r)
	},
}

func TestCheckRejectsMutations(t *testing.T) {
	for name, mutate := range mutations {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				a, texts := drawAnswer(t)
				mutate(t, &a, texts)
				if name != "another text" {
					a.Text = a.plain()
				}
				var fault *Fault
				if err := Check(a, texts.passage); !errors.As(err, &fault) {
					t.Fatalf("Check: %v, want a fault\n%+v\n%v", err, a, texts)
				}
			})
		})
	}
}

func drawPart(t *rapid.T, a *Answer) *Part {
	return &a.Parts[rapid.IntRange(0, len(a.Parts)-1).Draw(t, "part")]
}

func drawSource(t *rapid.T, a *Answer) *Source {
	return &a.Sources[rapid.IntRange(0, len(a.Sources)-1).Draw(t, "source")]
}

// changeDigit makes the first digit of s one that drawAnswer does not write.
func changeDigit(s string) string {
	at := strings.IndexAny(s, "0123456789")
	return s[:at] + "7" + s[at+1:]
}

func TestFaultNamesThePlace(t *testing.T) {
	tests := []struct {
		fault Fault
		want  string
	}{
		{Fault{Part: 2, Source: 5, Reason: "no such source"}, "part 2, source [5]: no such source"},
		{Fault{Part: 2, Reason: "no source"}, "part 2: no source"},
		{Fault{Source: 5, Reason: "no quote"}, "source [5]: no quote"},
		{Fault{Reason: "answered has no parts"}, "answer: answered has no parts"},
	}
	for _, tt := range tests {
		if got := tt.fault.Error(); got != tt.want {
			t.Errorf("Error() = %q, want %q", got, tt.want)
		}
	}
}

func TestRender(t *testing.T) {
	parts := []Part{
		{Text: "Goods may be returned.", Kind: Sentence, Sources: []int{1}},
		{Text: "Except:", Kind: Sentence, Sources: []int{1}},
		{Text: "gift cards", Kind: Item, Sources: []int{1}},
		{Text: "food [3]", Kind: Item, Sources: []int{1, 2}},
		{Text: "Item | Days", Kind: Header, Sources: []int{2}},
		{Text: "Shoes | 30", Kind: Row, Sources: []int{2}},
		{Text: "Ask us.", Sources: []int{3}},
	}
	want := `Goods may be returned. [1] Except: [1]
- gift cards [1]
- food (3) [1][2]
Item | Days [2]
Shoes | 30 [2]
Ask us. [3]`
	if got := Render(parts); got != want {
		t.Errorf("Render:\n%s\nwant:\n%s", got, want)
	}
}

// TestEveryMarkHasItsSource reads an answer that holds as a person does: each [n] in the
// text leads to a source, and each source is marked.
func TestEveryMarkHasItsSource(t *testing.T) {
	mark := regexp.MustCompile(`\[(\d+)\]`)
	rapid.Check(t, func(t *rapid.T) {
		a, _ := drawAnswer(t)
		forged := Part{Text: rapid.StringMatching(`[a-z]* ?\[[0-9]{1,2}\]`).Draw(t, "forged"), Sources: []int{1}}
		text := Render(append(a.Parts, forged))
		seen := map[int]bool{}
		for _, m := range mark.FindAllStringSubmatch(text, -1) {
			n, _ := strconv.Atoi(m[1])
			seen[n] = true
		}
		for n := range seen {
			if n < 1 || n > len(a.Sources) {
				t.Fatalf("mark [%d] has no source: %s", n, text)
			}
		}
		if len(seen) != len(a.Sources) {
			t.Fatalf("%d marks for %d sources: %s", len(seen), len(a.Sources), text)
		}
	})
}
