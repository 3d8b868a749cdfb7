package parse

import (
	"context"
	"errors"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"citebot/internal/kb"
)

var _ kb.Parser = Parse

func TestAccepts(t *testing.T) {
	for path, want := range map[string]bool{
		"a.md": true, "b/C.MarkDown": true, "x.TXT": true, "x.text": true, "x.html": true, "x.HTM": true,
		"x.pdf": false, "x": false, "md": false, ".md.bak": false, "x.htmlx": false,
	} {
		if got := Accepts(path); got != want {
			t.Errorf("Accepts(%q) = %v", path, got)
		}
	}
}

func TestErrors(t *testing.T) {
	text := strings.Repeat("some text ", 20)
	for _, c := range []struct {
		name, path, data, want string
		line                   int
	}{
		{"no bytes", "a.md", "", "the file is empty", 0},
		{"only white space", "a.txt", " \n\t\r\n\u00a0", "the file is empty", 0},
		{"only a byte order mark", "a.txt", "\ufeff", "the file is empty", 0},
		{"only hidden text", "a.html", "<p hidden>a</p>", "holds no text", 0},
		{"only front matter", "a.md", "---\ntitle: x\n---\n", "holds no text", 0},
		{"another kind", "a.docx", text, "files of this kind", 0},
		{"too large", "a.txt", strings.Repeat("a", MaxBytes+1), "over 20 MB", 0},
		{"a PDF", "a.md", "%PDF-1.7\n" + text, "a PDF", 0},
		{"an office file", "a.txt", "PK\x03\x04" + text, "a zip or office file", 0},
		{"an image", "a.html", "\x89PNG\r\n\x1a\n" + text, "a PNG image", 0},
		{"NUL bytes", "a.txt", strings.Repeat("a\x00", 100), "NUL bytes", 0},
		{"control characters", "a.txt", strings.Repeat("ab\x01\x02", 100), "control characters", 0},
		{"random bytes", "a.md", strings.Repeat("\x81\x1b\xf3\x05\x99a", 100), "control characters", 0},
		{"front matter without end", "a.md", "---\ntitle: x\n\n# Text\n", "never ends", 1},
		{"broken front matter", "a.md", "---\ntitle: x\nurl: [a\n---\ntext\n", "not valid YAML", 3},
		{"key twice", "a.md", "---\nowner: x\nurl: y\nowner: z\n---\ntext\n", "not valid YAML", 4},
		{"long front matter", "a.md", "---\nx: " + strings.Repeat("a", maxFrontMatter) + "\n---\ntext\n", "longer than 16 KB", 1},
		{"YAML brackets", "a.md", "---\nx: " + strings.Repeat("[", maxBrackets+1) + "\n---\ntext\n", "500 brackets", 1},
		{"too many blocks", "a.txt", strings.Repeat("a\n\n", maxBlocks+1), "split it", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse(context.Background(), c.path, []byte(c.data))
			broken := new(kb.ParseError)
			if !errors.As(err, &broken) || !strings.Contains(broken.Reason, c.want) || broken.Line != c.line {
				t.Errorf("error %#v, want line %d and %q", err, c.line, c.want)
			}
		})
	}
}

func TestEncodings(t *testing.T) {
	const text = "Gebühr\n\nDie Gebühr beträgt 5 €.\n"
	want := "heading   1 [1-1] Gebühr #gebühr\nparagraph [3-3] Die Gebühr beträgt 5 €.\n"
	latin := strings.NewReplacer("ü", "\xfc", "ä", "\xe4", "€", "\x80")
	for _, c := range []struct{ name, path, data, want string }{
		{"UTF-8", "a.txt", text, want},
		{"UTF-8 with a byte order mark", "a.txt", "\ufeff" + text, want},
		{"decomposed", "a.txt", strings.NewReplacer("ü", "u\u0308", "ä", "a\u0308").Replace(text), want},
		{"CRLF", "a.txt", strings.ReplaceAll(text, "\n", "\r\n"), want},
		{"CR", "a.txt", strings.ReplaceAll(text, "\n", "\r"), want},
		{"UTF-16 LE", "a.txt", utf16Bytes(text, 0, 8), want},
		{"UTF-16 BE", "a.txt", utf16Bytes(text, 8, 0), want},
		{"Windows-1252", "a.txt", latin.Replace(text), "warning 1: not valid UTF-8; the file was read as Windows-1252, check its accents and signs\n" + want},
		{"Windows-1252 in HTML", "a.html", latin.Replace("<meta charset=windows-1252>\n<p>Gebühr"),
			"warning 2: not valid UTF-8; the file was read as Windows-1252, check its accents and signs\nparagraph [2-2] Gebühr\n"},
		{"declared by HTML", "a.html", "<meta charset=koi8-r><p>\xc4\xc1", "paragraph [1-1] да\n"},
		{"a broken byte", "a.txt", "Die Gebühr beträgt für Bücher über 5 Tage später über 5 € (fünf).\n\xffa\n",
			"warning 2: not valid UTF-8 here; 1 broken bytes were left out\nparagraph [1-2] Die Gebühr beträgt für Bücher über 5 Tage später über 5 € (fünf). a\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			doc, err := Parse(context.Background(), c.path, []byte(c.data))
			_, got, _ := strings.Cut(describe(doc, err), "\n") // the title
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// utf16Bytes encodes s after a byte order mark; low and high say by how far a unit's
// first and second byte are shifted.
func utf16Bytes(s string, low, high int) string {
	var b strings.Builder
	for _, unit := range utf16.Encode([]rune("\ufeff" + s)) {
		b.Write([]byte{byte(unit >> low), byte(unit >> high)})
	}
	return b.String()
}

func TestTitles(t *testing.T) {
	for _, c := range []struct{ path, data, want string }{
		{"late-fees.md", "text", "Late fees"},
		{"a/b/Returns_and.exchanges.v2.txt", "text\nmore text.", "Returns and exchanges v2"},
		{"late-fees/index.md", "text", "Late fees"},
		{"README.md", "text", "README"},
		{"übersicht.html", "<p>text", "Übersicht"},
		{"-.md", "text", "-"},
		{"a.md", "text\n\n## First\n\n# Second", "First"},
		{"a.html", "<title>Returns</title><h1>All about returns</h1>", "Returns"},
		{"a.html", "<title>Returns | Acme</title><h1>Returns</h1>", "Returns"},
		{"a.html", "<title>Acme – Returns</title><h1>Acme</h1><h2>Returns</h2>", "Returns"},
		{"a.html", "<title>Returns | Acme</title><h1>How to return an item</h1>", "How to return an item"},
		{"a.html", "<title>Galaxy S10: Internet</title><h5>Internet</h5>", "Galaxy S10: Internet"},
		{"a.html", "<title>Returns | Acme</title><p>text", "Returns | Acme"},
		{"a.html", "<title></title><title>Second</title><h2>Only a subheading</h2>", "Second"},
		{"a.html", "<title>First</title><svg><title>Icon</title></svg><p>text", "First"},
		{"a.html", "<title>Document</title><h1>Returns</h1>", "Returns"},
	} {
		doc, err := Parse(context.Background(), c.path, []byte(c.data))
		if err != nil || doc.Title != c.want || doc.Path != c.path {
			t.Errorf("%s %q: title %q of %q (%v), want %q", c.path, c.data, doc.Title, doc.Path, err, c.want)
		}
	}
}

func TestDates(t *testing.T) {
	for value, want := range map[string]string{
		"2024-05-01": "2024-05-01", "2024-05-01T10:00:00Z": "2024-05-01", "2024-5-1": "2024-05-01", "2024/05/01": "2024-05-01",
		"1.5.2024": "2024-05-01", "01.05.2024": "2024-05-01", "1 May 2024": "2024-05-01", "May 1, 2024": "2024-05-01",
		"05/01/2024": "", "2024": "", "2024-13-01": "", "soon": "",
	} {
		if got, ok := isoDate(value); got != want || ok != (want != "") {
			t.Errorf("isoDate(%q) = %q, %v", value, got, ok)
		}
	}
}

func TestInvisibleText(t *testing.T) {
	// Tag characters, bidirectional controls, zero width, variation selectors and private
	// use can carry instructions that nobody sees.
	smuggled := "a\U000E0041\U000E007F b\u202e\u2066 c\u200b\u200d\ufeff d\ufe0f\U000E0100 e\ue000 f\u00ad\u034f g\u0007\u0085h"
	for _, path := range []string{"a.md", "a.txt", "a.html"} {
		doc, err := Parse(context.Background(), path, []byte(smuggled))
		if err != nil || len(doc.Blocks) != 1 || doc.Blocks[0].Text != "a b c d e f g h" {
			t.Errorf("%s: %+v (%v)", path, doc.Blocks, err)
		}
	}
	marks := "e" + strings.Repeat("\u0301", 100)
	checkText(t, clean(marks), false)
	if got := len([]rune(clean(marks))); got > maxMarks+1 {
		t.Errorf("%d characters left of a letter with 100 accents", got)
	}
}

func TestSlugsAreUnique(t *testing.T) {
	anchors := slugs{}
	var got []string
	for _, heading := range []string{"Fees", "Fees", "Fees-1", "Fees", "", "?", "Größe & Maß", "a_b-c d", strings.Repeat("x", 200)} {
		got = append(got, anchors.add(heading))
	}
	want := []string{"fees", "fees-1", "fees-1-1", "fees-2", "section", "section-1", "größe--maß", "a_b-c-d", strings.Repeat("x", maxSlug)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, path := range []string{"a.md", "a.txt", "a.html"} {
		if _, err := Parse(ctx, path, []byte("text")); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: error %v", path, err)
		}
	}
}

func TestPanicsAreErrors(t *testing.T) {
	var none *draft
	err := func() (err error) {
		defer recovered(&err)
		none.warn(1, "a reader that fails")
		return nil
	}()
	if broken := new(kb.ParseError); !errors.As(err, &broken) {
		t.Errorf("error %v", err)
	}
}

func TestTagTableKnowsItsNames(t *testing.T) {
	if traitsOf[0] != 0 {
		t.Error("a name in the table of elements is none of x/net's atoms, so every unknown element has its traits")
	}
}
