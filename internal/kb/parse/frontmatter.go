package parse

import (
	"errors"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// What is given to the YAML parser is bounded: 16,000 brackets took it 421 MB.
const (
	maxFrontMatter = 16 << 10
	maxBrackets    = 500
)

var (
	frontMatterEnd = regexp.MustCompile(`(?m)^(?:---|\.\.\.)[ \t]*(?:\n|\z)`)
	yamlKey        = regexp.MustCompile(`^[A-Za-z_][\w -]*:(?:[ \t\n]|\z)`)
)

// readFrontMatter reads the YAML that src begins with, if it does, and returns the rest
// and how many lines went before it. A first line of dashes followed by something else
// is a rule.
func readFrontMatter(d *draft, src string) (body string, lines int, err error) {
	first, rest, _ := strings.Cut(src, "\n")
	if strings.TrimRight(first, " \t") != "---" {
		return src, 0, nil
	}
	end := frontMatterEnd.FindStringIndex(rest)
	if end == nil {
		if yamlKey.MatchString(rest) {
			return "", 0, broken(1, "the front matter that begins here never ends: add a line with three dashes after it")
		}
		return src, 0, nil
	}
	if end[0] > maxFrontMatter {
		return "", 0, broken(1, "the front matter is longer than %d KB", maxFrontMatter>>10)
	}
	if yml := rest[:end[0]]; strings.Count(yml, "[")+strings.Count(yml, "{") > maxBrackets {
		return "", 0, broken(1, "the front matter has more than %d brackets", maxBrackets)
	}
	isMap, err := d.setFrontMatter(rest[:end[0]])
	if err != nil {
		return "", 0, err
	}
	if !isMap {
		return src, 0, nil
	}
	return rest[end[1]:], 1 + strings.Count(rest[:end[1]], "\n"), nil
}

// setFrontMatter takes the keys and values of yml, whose first line is the file's second.
// It works on the syntax tree, where no anchor is expanded and dates stay as written.
func (d *draft) setFrontMatter(yml string) (isMap bool, err error) {
	file, err := parser.ParseBytes([]byte(yml), 0)
	if err != nil {
		return false, frontMatterError(err)
	}
	if len(file.Docs) == 0 || file.Docs[0].Body == nil {
		return true, nil // nothing between the dashes
	}
	switch body := file.Docs[0].Body.(type) {
	case *ast.MappingNode:
		for _, kv := range body.Values {
			d.setKey(kv)
		}
		return true, nil
	case *ast.MappingValueNode:
		d.setKey(body)
		return true, nil
	}
	return false, nil
}

func frontMatterError(err error) error {
	var syntax *yaml.SyntaxError
	if errors.As(err, &syntax) && syntax.Token != nil && syntax.Token.Position != nil {
		return broken(syntax.Token.Position.Line+1, "the front matter is not valid YAML: %s", syntax.Message)
	}
	return broken(1, "the front matter is not valid YAML: %v", err)
}

func (d *draft) setKey(kv *ast.MappingValueNode) {
	line := kv.GetToken().Position.Line + 1
	key := clean(kv.Key.GetToken().Value)
	value, ok := scalars(kv.Value)
	if !ok {
		d.warn(line, "front matter: %q is neither a value nor a list of values; it was left out", key)
		return
	}
	value = clean(value)
	switch strings.ToLower(key) {
	case "title":
		d.Title = value
	case "audience":
		d.Audience = value
	case "owner":
		d.Owner = value
	case "url":
		d.setURL(line, value)
	case "updated":
		d.setUpdated(line, value)
	default:
		if d.Meta == nil {
			d.Meta = map[string]string{}
		}
		d.Meta[key] = value
	}
}

// scalars returns a value, or the values of a list joined by ", ".
func scalars(n ast.Node) (string, bool) {
	list, isList := n.(*ast.SequenceNode)
	if !isList {
		return scalar(n)
	}
	var values []string
	for _, item := range list.Values {
		value, ok := scalar(item)
		if !ok {
			return "", false
		}
		values = append(values, value)
	}
	return strings.Join(values, ", "), true
}

func scalar(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case nil, *ast.NullNode:
		return "", true
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case ast.ScalarNode:
		return n.GetToken().Value, true
	}
	return "", false
}

// setURL keeps u when it is a link that may be shown to people.
func (d *draft) setURL(line int, u string) {
	switch {
	case isWeb(u):
		d.URL = u
	case u != "":
		d.warn(line, "url %q is not an http or https address; it was left out", u)
	}
}

func isWeb(u string) bool {
	parsed, err := url.Parse(u)
	return err == nil && parsed.Host != "" && (parsed.Scheme == "http" || parsed.Scheme == "https")
}

// setUpdated keeps a date as YYYY-MM-DD.
func (d *draft) setUpdated(line int, value string) {
	date, ok := isoDate(value)
	if !ok && value != "" {
		d.warn(line, "updated %q is not a date that is understood; write it as 2026-01-31", value)
	}
	d.Updated = date
}

// isoDate understands dates that mean one day everywhere; 01/02/2026 does not.
func isoDate(value string) (string, bool) {
	for _, layout := range []string{time.DateOnly, time.RFC3339, "2006-01-02 15:04:05", "2006-01-02T15:04:05", "2006-01-02 15:04",
		"2006-1-2", "2006/01/02", "2.1.2006", "2 January 2006", "2 Jan 2006", "January 2, 2006", "Jan 2, 2006"} {
		if t, err := time.Parse(layout, value); err == nil && t.Year() >= 1 {
			return t.Format(time.DateOnly), true
		}
	}
	return "", false
}
