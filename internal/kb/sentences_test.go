package kb

import (
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// The cases are sentences with "¦" where one ends and the next begins.
var sentenceCases = []struct{ name, text string }{
	{"plain", "Returns are free.¦ Refunds take 5 days.¦ Call us!"},
	{"one without a stop", "Returns and refunds"},
	{"questions", "How late?!¦ Two days.¦ Really??? ¦Yes."},
	{"Latin abbreviations", "Bring ID, e.g. a passport, i.e. a document with a photo.¦ Cards, cheques, etc. are fine."},
	{"etc at an end", "We take cards, cheques, etc.¦ Cash is refused."},
	{"titles", "Ask Mr. Jones or Dr. Patel at St. Mary's.¦ Mrs. Lee is away."},
	{"number signs", "See No. 5 and Nos. 7 and 8, Fig. 3, Art. 12 and pp. 4.¦ The answer is no.¦ Next question."},
	{"approximately", "It takes approx. Three weeks incl. Sundays."},
	{"money", "The fee is £4.95.¦ Members pay $1,234.50 per year.¦ Others pay 5.¦ That is all."},
	{"times", "Order by 5 p.m. on weekdays.¦ We open at 9 a.m. Monday to Friday.¦ We close at 5 p.m.¦ Orders placed later ship next day."},
	{"countries", "Shipping to the U.S. takes 9 days.¦ It is made in the U.S. Department rules apply.¦ We sell in the U.K.¦ You pay VAT."},
	{"companies", "Sold by Acme Inc. of Ohio.¦ Sold by Acme Ltd.¦ We are not Acme."},
	{"initials", "Write to J. R. Smith.¦ This is plan B.¦ We have no plan C."},
	{"German", "Das gilt ab dem 1. März 2025 bzw. ab dem 3. Quartal.¦ Abs. 2 und Nr. 7 gelten, z.B. Für Kinder.¦ Danach nicht."},
	{"ellipsis", "Wait ... and see.¦ It ended…¦ Then it began…again."},
	{"spaced ellipsis", "Well . . . that is it."},
	{"addresses", "Visit www.example.com/a.b?c=d. ¦Or mail help@example.co.uk.¦ Open config.yaml now."},
	{"version and section numbers", "Version 2.0.1 is out.¦ See 3.2.¦ Then see section 4.1.2 for more."},
	{"list number", "1. Open the app.¦ 2. Tap Returns.¦ iv. Wait."},
	{"lettered", "a. Sign the form.¦ (b) Send it. "},
	{"quotes", `He said "Stop."¦ Then he left.¦ “Why?”¦ ‘Because.’¦ (See below.)¦ [Or not.]¦ End.`},
	{"quoted question goes on", `"Can I return it?" you may ask.`},
	{"citation marks", "It takes 14 days.[1][2]¦ Refunds are free. [3]¦ Yes."},
	{"lower-case brand", "Call us.¦ iPhone users tap here.¦ eBay too."},
	{"lower case goes on", "This is odd. but it goes on"},
	{"brackets open", "It is free.¦ (Only in shops.)¦ “No.”¦ ¿Qué?"},
	{"Chinese", "退货免费。¦退款需要五天！¦真的吗？¦是的"},
	{"Japanese quotation", "「はい。」¦次の文です。"},
	{"Hindi and Arabic", "यह मुफ़्त है। ¦वह नहीं। ¦هل هذا مجاني؟ ¦نعم."},
	{"tokenised", "To use this tool , you need an ID .¦ Then go on ."},
	{"newlines", "Returns\n¦Returns are free\n¦ and quick.¦ Yes.\n\n¦1. One\n"},
	{"number ends a sentence", "You may borrow 12.¦ Students may borrow 20."},
	{"am is a word", "I am.¦ You are."},
	{"state", "We are in Sacramento, CA.¦ Come and see."},
}

func TestSentences(t *testing.T) {
	for _, c := range sentenceCases {
		t.Run(c.name, func(t *testing.T) {
			var want, got []string
			for s := range strings.SplitSeq(c.text, "¦") {
				want = append(want, strings.TrimSpace(s))
			}
			text := strings.ReplaceAll(c.text, "¦", "")
			for _, r := range Sentences(text) {
				got = append(got, text[r[0]:r[1]])
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestSentencesOfNothing(t *testing.T) {
	for _, text := range []string{"", " ", "\n\n", "\u00a0\u2003 \t"} {
		if got := Sentences(text); len(got) != 0 {
			t.Errorf("Sentences(%q) = %v, want none", text, got)
		}
	}
}

// checkSentences fails unless the ranges are ordered, disjoint, trimmed, on one line each
// and hold every byte that is not white space.
func checkSentences(t interface{ Fatalf(string, ...any) }, text string) {
	end, valid := 0, utf8.ValidString(text)
	for _, r := range Sentences(text) {
		if r[0] < end || r[1] <= r[0] || r[1] > len(text) {
			t.Fatalf("range %v after %d in a text of %d bytes", r, end, len(text))
		}
		if gap := text[end:r[0]]; strings.TrimSpace(gap) != "" {
			t.Fatalf("%q is in no sentence", gap)
		}
		s := text[r[0]:r[1]]
		if s != strings.TrimFunc(s, unicode.IsSpace) || strings.Contains(s, "\n") {
			t.Fatalf("sentence %q is not trimmed or crosses a line", s)
		}
		if valid && !utf8.ValidString(s) {
			t.Fatalf("sentence %q cuts a character", s)
		}
		end = r[1]
	}
	if gap := text[end:]; strings.TrimSpace(gap) != "" {
		t.Fatalf("%q is in no sentence", gap)
	}
}

func TestSentencesProperty(t *testing.T) {
	pieces := []string{".", "?", "!", "…", "。", " ", "\n", "\u00a0", "\"", "”", "(", ")", "[1]", "e.g", "No", "5", "3.2",
		"U.S", "p.m", "Monday", "The", "days", "März", "1", "iPhone", "é", "\xff", "a"}
	rapid.Check(t, func(t *rapid.T) {
		checkSentences(t, strings.Join(rapid.SliceOf(rapid.SampledFrom(pieces)).Draw(t, "pieces"), ""))
	})
}

func FuzzSentences(f *testing.F) {
	for _, c := range sentenceCases {
		f.Add(strings.ReplaceAll(c.text, "¦", ""))
	}
	f.Add(".\xff. \xc2. A")
	f.Fuzz(func(t *testing.T, text string) { checkSentences(t, text) })
}

func TestSentencesTakeLinearTime(t *testing.T) {
	for _, piece := range []string{"a.", "a. ", ". ", ".", "“", ".“ ", "[1]", ".[1]", "a. b ", "e.g. ", "1.\n", "。", ".                    "} {
		text := strings.Repeat(piece, 1<<20/len(piece))
		start := time.Now()
		checkSentences(t, text)
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("1 MB of %q took %v", piece, took)
		}
	}
}

func BenchmarkSentences(b *testing.B) {
	text := strings.Repeat("Items may be returned within 30 days, e.g. by post. The fee is £4.95. See No. 5 for more. ", 1000)
	b.Run("sentences", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			Sentences(text)
		}
	})
	b.Run("baseline: cut at full stops", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			strings.SplitAfter(text, ". ")
		}
	})
}
