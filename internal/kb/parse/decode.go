package parse

import (
	"bytes"
	"path"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html/charset"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
)

// decode returns data as UTF-8 with lines that end in "\n", or says why it is no text.
func decode(d *draft, data []byte) (string, error) {
	text, err := toUTF8(d, data)
	if err != nil {
		return "", err
	}
	if strings.TrimSpace(text) == "" {
		return "", broken(0, "the file is empty")
	}
	if reason := controls(text); reason != "" {
		return "", broken(0, "looks binary (%s)", reason)
	}
	if strings.Contains(text, "\r") {
		text = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text)
	}
	return text, nil
}

func toUTF8(d *draft, data []byte) (string, error) {
	if bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) {
		return convert(unicode.UTF16(unicode.LittleEndian, unicode.UseBOM), data)
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if name := magic(data); name != "" {
		return "", broken(0, "looks binary (%s); save it as text or give it its own extension", name)
	}
	if utf8.Valid(data) {
		return string(data), nil
	}
	return guessEncoding(d, data)
}

func convert(e encoding.Encoding, data []byte) (string, error) {
	text, err := e.NewDecoder().Bytes(data)
	if err != nil {
		return "", broken(0, "the file's encoding is broken: %v", err)
	}
	return string(text), nil
}

// guessEncoding reads what is not valid UTF-8: by the encoding an HTML file declares, as
// UTF-8 with a few broken bytes when most of its other characters are whole, else as
// Windows-1252, in which Western office programs still save.
func guessEncoding(d *draft, data []byte) (string, error) {
	line, bad, whole := census(data)
	if reason := controls(string(data[:min(len(data), 64<<10)])); reason != "" {
		return "", broken(0, "looks binary (%s)", reason)
	}
	if strings.HasPrefix(strings.ToLower(path.Ext(d.Path)), ".htm") {
		e, name, _ := charset.DetermineEncoding(data[:min(len(data), 1024)], "")
		if name != "utf-8" && name != "windows-1252" { // which it also returns where none is declared
			return convert(e, data)
		}
	}
	if whole > bad {
		d.warn(line, "not valid UTF-8 here; %d broken bytes were left out", bad)
		return string(bytes.ToValidUTF8(data, nil)), nil
	}
	d.warn(line, "not valid UTF-8; the file was read as Windows-1252, check its accents and signs")
	var b strings.Builder
	b.Grow(len(data) + len(data)/8)
	for _, c := range data {
		b.WriteRune(charmap.Windows1252.DecodeByte(c))
	}
	return b.String(), nil
}

// census returns the line of the first byte that is not UTF-8, and how many such bytes
// and how many whole characters beyond ASCII there are.
func census(data []byte) (line, bad, whole int) {
	newlines := 0
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			bad++
			if line == 0 {
				line = newlines + 1
			}
		case size > 1:
			whole++
		case r == '\n':
			newlines++
		}
		i += size
	}
	return line, bad, whole
}

// magic names the format whose files begin as data does, when it is no text format.
func magic(data []byte) string {
	for _, m := range []struct{ prefix, name string }{
		{"%PDF-", "a PDF"},
		{"PK\x03\x04", "a zip or office file"},
		{"\xd0\xcf\x11\xe0", "an old office file"},
		{`{\rtf`, "an RTF file"},
		{"\x89PNG", "a PNG image"},
		{"\xff\xd8\xff", "a JPEG image"},
		{"GIF8", "a GIF image"},
		{"\x1f\x8b", "a gzip file"},
		{"7z\xbc\xaf", "a 7-Zip file"},
		{"Rar!\x1a", "a RAR file"},
		{"SQLite format 3", "a SQLite database"},
		{"\x7fELF", "a program"},
	} {
		if bytes.HasPrefix(data, []byte(m.prefix)) {
			return m.name
		}
	}
	return ""
}

// controls says what speaks against text being text: more than one NUL in a thousand
// bytes, or more than one other control character in fifty.
func controls(text string) string {
	nuls, others := 0, 0
	for i := range len(text) {
		switch c := text[i]; {
		case c == 0:
			nuls++
		case c < ' ' && c != '\t' && c != '\n' && c != '\r' && c != '\f', c == 0x7f:
			others++
		}
	}
	switch {
	case nuls*1000 > len(text):
		return "NUL bytes; text in UTF-16 needs a byte order mark"
	case others*50 > len(text):
		return "control characters"
	}
	return ""
}
