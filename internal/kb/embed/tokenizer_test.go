package embed

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func newTestTokenizer(t testing.TB) *tokenizer {
	t.Helper()
	tok, err := newTokenizer(vocabFile)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func TestTokenizerReference(t *testing.T) {
	tok := newTestTokenizer(t)
	cases := readTexts(t, "testdata/tokens.jsonl")
	if len(cases) < 150 {
		t.Fatalf("only %d cases", len(cases))
	}
	for _, c := range cases {
		if diff := cmp.Diff(c.IDs, tok.encode(nil, "", c.Text)); diff != "" {
			t.Errorf("%.60q (-reference +got):\n%s", c.Text, diff)
		}
	}
}

func TestTokenizerPrefix(t *testing.T) {
	tok := newTestTokenizer(t)
	const text = "How do I reset my password?"
	want := tok.encode(nil, "", queryPrefix+text)
	if diff := cmp.Diff(want, tok.encode(nil, queryPrefix, text)); diff != "" {
		t.Errorf("prefix apart from the text (-together +apart):\n%s", diff)
	}
}

// Hostile text is cut: what lies behind the limit changes nothing, whatever fills it.
func TestTokenizerIgnoresTheRest(t *testing.T) {
	tok := newTestTokenizer(t)
	for _, filler := range []string{"a", " ", ".", "é", "\u0301", "中", "가", "\xff", "\x00", "a ", "🎉", "zq "} {
		text := strings.Repeat(filler, 20<<20/len(filler))
		got := slices.Clone(tok.encode(nil, "", text))
		if len(got) > maxTokens {
			t.Errorf("%q: %d tokens", filler, len(got))
		}
		if diff := cmp.Diff(tok.encode(nil, "", text[:maxTextBytes]+" refund"), got); diff != "" {
			t.Errorf("%q: text behind the limit counts:\n%s", filler, diff)
		}
	}
}

func TestTokenizerNeedsSpecialTokens(t *testing.T) {
	if _, err := newTokenizer("[CLS]\n[UNK]\nhello\n"); err == nil || !strings.Contains(err.Error(), "[SEP]") {
		t.Errorf("vocabulary without [SEP]: %v", err)
	}
}

func FuzzTokenizer(f *testing.F) {
	for _, c := range readTexts(f, "testdata/tokens.jsonl") {
		f.Add(c.Text)
	}
	tok := newTestTokenizer(f)
	f.Fuzz(func(t *testing.T, text string) {
		ids := tok.encode(nil, "", text)
		if len(ids) < 2 || len(ids) > maxTokens || ids[0] != tok.cls || ids[len(ids)-1] != tok.sep {
			t.Fatalf("not framed by [CLS] and [SEP] within %d tokens: %v", maxTokens, ids)
		}
		for _, id := range ids[1 : len(ids)-1] {
			if id <= 0 || id >= vocabSize || id == tok.cls || id == tok.sep {
				t.Fatalf("ID %d inside %v", id, ids)
			}
		}
		if len(text) > maxTextBytes-2 {
			return
		}
		if diff := cmp.Diff(ids, tok.encode(nil, "", " "+upperASCII(text)+"\n")); diff != "" {
			t.Errorf("upper case and outer space matter (-plain +changed):\n%s", diff)
		}
	})
}

// upperASCII leaves other letters alone: their upper case may have another lower case.
func upperASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'a' <= c && c <= 'z' {
			b[i] -= 'a' - 'A'
		}
	}
	return string(b)
}
