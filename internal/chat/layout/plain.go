package layout

import (
	"slices"
	"strings"
)

// Reading is what a sheet's statements say, as text without markup.
func (s Sheet) Reading() string {
	var b strings.Builder
	for i, st := range s.Statements {
		b.WriteString(Separator(s.Statements[:i], st))
		if st.Kind == Item {
			b.WriteString("• ")
		}
		b.WriteString(st.Text())
	}
	return b.String()
}

// A Markup is how a surface writes plain messages.
type Markup struct {
	Escape func(text string) string
	Fit    func(text string, limit int) string // Escape for at most limit characters
	Line   func(f Footnote) string             // a footnote without its quote
}

// Plain is a sheet as one text of at most limit characters, its sources beneath. It leaves out
// statements that do not fit, and says so.
func (s Sheet) Plain(limit int, m Markup) string {
	text := s.write(m)
	n := len(s.Statements)
	for ; n > 1 && Chars(text) > limit-len(SayShortened)-1; n-- {
		text = s.first(n-1).write(m) + "\n" + SayShortened
	}
	if Chars(text) > limit {
		return s.beginning(limit, m)
	}
	return text
}

// first is a sheet of the first n statements.
func (s Sheet) first(n int) Sheet {
	var out Sheet
	for _, st := range s.Statements[:n] {
		out.add(st, s.Notes)
	}
	return out
}

func (s Sheet) write(m Markup) string {
	text := m.Escape(s.Reading())
	if len(s.Notes) > 0 {
		text += "\n"
	}
	for _, f := range s.Notes {
		text += "\n" + m.Line(f)
	}
	return text
}

// beginning is as much of the first statement as fits, with as many marks and sources.
func (s Sheet) beginning(limit int, m Markup) string {
	var marks, list string
	for _, n := range s.Statements[0].Cites {
		i := noteAt(s.Notes, n)
		if i < 0 || Chars(list) > limit/2 {
			continue
		}
		marks += m.Escape(Mark(n))
		list += "\n" + m.Line(s.Notes[i])
	}
	const between = 3
	text := Statement{Spans: slices.DeleteFunc(slices.Clone(s.Statements[0].Spans), Span.IsMark)}.Text()
	return m.Fit(text, limit-Chars(marks)-Chars(list)-between) + " " + marks + "\n" + list
}
