package main

import (
	"strings"

	"citebot/internal/citations"

	"github.com/mattn/go-runewidth"
)

// answerLines is an answer's parts as lines of at most width columns: text as
// citations.Render writes it, and rows as tables.
func answerLines(parts []citations.Part, width int) []string {
	var lines []string
	for len(parts) > 0 {
		n := 1
		for n < len(parts) && tabular(parts[n]) == tabular(parts[0]) && parts[n].Kind != citations.Header {
			n++
		}
		if tabular(parts[0]) {
			lines = append(lines, tableLines(parts[:n], width)...)
		} else {
			lines = append(lines, wrap(citations.Render(parts[:n]), width)...)
		}
		parts = parts[n:]
	}
	return lines
}

func tabular(p citations.Part) bool { return p.Kind == citations.Header || p.Kind == citations.Row }

// tableLines is one table: in columns if they fit, else each row as its first cell with
// the others, named by the header, beneath it.
func tableLines(parts []citations.Part, width int) []string {
	rows := make([][]string, len(parts))
	marks := make([]string, len(parts))
	for i, p := range parts {
		text := citations.Render([]citations.Part{{Text: p.Text}})
		if p.Kind == citations.Row {
			marks[i] = strings.TrimPrefix(citations.Render([]citations.Part{{Text: p.Text, Sources: p.Sources}}), text)
		}
		rows[i] = strings.Split(clean(text), " | ")
	}
	widths, total := columnWidths(rows)
	if total+len(" [10]") <= width {
		return columns(rows, marks, widths)
	}
	return records(rows, marks, parts[0].Kind == citations.Header, width)
}

func columnWidths(rows [][]string) (widths []int, total int) {
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], runewidth.StringWidth(cell))
		}
	}
	for _, w := range widths {
		total += w + 2
	}
	return widths, total
}

func columns(rows [][]string, marks []string, widths []int) []string {
	lines := make([]string, len(rows))
	for i, row := range rows {
		var b strings.Builder
		for j, cell := range row {
			b.WriteString(runewidth.FillRight(cell, widths[j]+2))
		}
		lines[i] = strings.TrimRight(b.String(), " ") + marks[i]
	}
	return lines
}

func records(rows [][]string, marks []string, headed bool, width int) []string {
	var header, lines []string
	if headed {
		header, rows, marks = rows[0], rows[1:], marks[1:]
	}
	for i, row := range rows {
		lines = append(lines, wrap(row[0]+marks[i], width)...)
		for j, cell := range row[1:] {
			if j+1 < len(header) {
				cell = header[j+1] + ": " + cell
			}
			for _, line := range wrap(cell, width-4) {
				lines = append(lines, "    "+line)
			}
		}
	}
	return lines
}
