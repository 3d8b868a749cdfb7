package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

const module = "citebot/"

// importRules say which of our packages a package may import. The first rule whose
// pattern matches decides; a package without a rule is a violation, so a new one has to
// find its place here. Tests may import what they like.
var importRules = []struct {
	pattern string
	may     []string
	why     string
}{
	{"cmd/bot", []string{"internal/*", "internal/*/*"}, "it alone plugs the pieces together"},
	{"internal/kb", nil, "the library knows files and passages; embedder, parser and stores are given to it"},
	{"internal/kb/qdrant/qdranttest", nil, "a stand-in that shares code with what it tests would share its mistakes"},
	{"internal/kb/*", []string{"internal/kb"}, "each fills one of the library's ports and none needs another"},
	{"internal/citations", nil, "an answer's form and proof must not depend on who wrote it or where it is shown"},
	{"internal/ledger", nil, "rows are rows"},
	{"internal/llm/llmtest", nil, "a stand-in that shares code with what it tests would share its mistakes"},
	{"internal/llm", nil, "a model client knows its vendor's API and neither passages nor citations"},
	{"internal/chat", []string{"internal/kb", "internal/citations", "internal/ledger"}, "a turn joins search, citations and their record; surfaces and models are its ports"},
	{"internal/chat/slack/slacktest", nil, "a stand-in that shares code with what it tests would share its mistakes"},
	{"internal/chat/discord/discordtest", nil, "a stand-in that shares code with what it tests would share its mistakes"},
	{"internal/chat/layout", []string{"internal/citations"}, "how an answer is set must not depend on where it is asked or shown"},
	{"internal/chat/surface", nil, "what surfaces need alike must not depend on what they show"},
	{"internal/chat/*", []string{"internal/chat", "internal/chat/layout", "internal/chat/surface", "internal/citations"}, "a surface shows answers and knows neither retrieval nor another surface"},
}

// sdkRules keep what a vendor sells in the one package that speaks to the vendor.
var sdkRules = map[string]string{
	"github.com/slack-go/":                   "internal/chat/slack",
	"github.com/bwmarrin/discordgo":          "internal/chat/discord",
	"github.com/qdrant/":                     "internal/kb/qdrant",
	"github.com/blevesearch/bleve/":          "internal/kb",
	"github.com/openai/openai-go":            "internal/llm",
	"github.com/anthropics/anthropic-sdk-go": "internal/llm",
	"github.com/alecthomas/kong":             "cmd/bot",
}

// settingReaders are what only cmd/bot may use: elsewhere a setting is a struct's field,
// visible to whoever calls and to tests.
var settingReaders = []string{"os.Getenv", "os.LookupEnv", "os.Environ", "os.ExpandEnv", "os.Args"}

func TestImports(t *testing.T) {
	for _, v := range violations(t, os.DirFS("../..")) {
		t.Error(v)
	}
}

// Each made-up file breaks one rule; a checker that finds nothing here finds nothing there.
func TestImportRulesBite(t *testing.T) {
	for _, test := range []struct{ file, source, want string }{
		{"internal/kb/a.go", `package kb; import _ "citebot/internal/citations"`, "internal/kb imports internal/citations"},
		{"internal/kb/embed/a.go", `package embed; import _ "citebot/internal/kb/parse"`, "internal/kb/embed imports internal/kb/parse"},
		{"internal/chat/a.go", `package chat; import _ "citebot/internal/chat/web"`, "internal/chat imports internal/chat/web"},
		{"internal/chat/web/a.go", `package web; import _ "citebot/internal/kb"`, "internal/chat/web imports internal/kb"},
		{"internal/util/a.go", `package util`, "internal/util has no rule"},
		{"internal/chat/web/a.go", `package web; import _ "github.com/slack-go/slack"`, "internal/chat/web imports github.com/slack-go/slack"},
		{"internal/kb/a.go", `package kb; import "os"; var a = os.Getenv("A")`, "internal/kb/a.go uses os.Getenv"},
		{"internal/kb/a.go", `package kb; import "flag"; var _ = flag.Parse`, "internal/kb imports flag"},
	} {
		got := violations(t, fstest.MapFS{test.file: {Data: []byte(test.source)}})
		if len(got) != 1 || !strings.HasPrefix(got[0], test.want) {
			t.Errorf("%s: %s\ngot  %q\nwant %q", test.file, test.source, got, test.want)
		}
	}
}

func violations(t *testing.T, tree fs.FS) []string {
	var found []string
	for _, f := range sources(t, tree) {
		pkg := path.Dir(f.name)
		for _, spec := range f.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if why := forbidden(pkg, imported); why != "" {
				found = append(found, fmt.Sprintf("%s imports %s: %s", pkg, strings.TrimPrefix(imported, module), why))
			}
		}
		if _, _, ok := ruleFor(pkg); !ok {
			found = append(found, pkg+" has no rule in importRules: decide what it may import")
		}
		if strings.HasPrefix(pkg, "internal/") {
			for _, use := range settingsRead(f.File) {
				found = append(found, fmt.Sprintf("%s uses %s: only cmd/bot reads flags and environment", f.name, use))
			}
		}
	}
	return found
}

// forbidden says why pkg may not import a package, "" if it may.
func forbidden(pkg, imported string) string {
	for sdk, home := range sdkRules {
		if strings.HasPrefix(imported, sdk) && pkg != home && pkg != home+"/"+path.Base(home)+"test" {
			return "this SDK belongs to " + home + " alone"
		}
	}
	if imported == "flag" {
		return "only cmd/bot reads flags and environment"
	}
	ours, ok := strings.CutPrefix(imported, module)
	if !ok {
		return ""
	}
	may, why, _ := ruleFor(pkg)
	if slices.ContainsFunc(may, func(pattern string) bool { return matches(pattern, ours) }) {
		return ""
	}
	return why
}

func ruleFor(pkg string) (may []string, why string, ok bool) {
	for _, r := range importRules {
		if matches(r.pattern, pkg) {
			return r.may, r.why, true
		}
	}
	return nil, "", false
}

func matches(pattern, name string) bool {
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}

func settingsRead(f *ast.File) []string {
	var uses []string
	ast.Inspect(f, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := s.X.(*ast.Ident); ok && slices.Contains(settingReaders, x.Name+"."+s.Sel.Name) {
				uses = append(uses, x.Name+"."+s.Sel.Name)
			}
		}
		return true
	})
	return uses
}

type source struct {
	name string
	*ast.File
}

// sources are the module's Go files but for tests, test data and programs that only
// `go generate` runs.
func sources(t *testing.T, tree fs.FS) []source {
	var all []source
	err := fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		switch base := path.Base(name); {
		case err != nil:
			return err
		case d.IsDir() && (base == "testdata" || len(base) > 1 && base[0] == '.'):
			return fs.SkipDir
		case d.IsDir() && name != "." && exists(tree, name+"/go.mod"): // a module of its own
			return fs.SkipDir
		case d.IsDir() || path.Ext(base) != ".go" || strings.HasSuffix(base, "_test.go"):
			return nil
		}
		text, err := fs.ReadFile(tree, name)
		if err != nil || strings.Contains(string(text), "//go:build ignore\n") {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, text, parser.ParseComments)
		all = append(all, source{name, f})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func exists(tree fs.FS, name string) bool {
	_, err := fs.Stat(tree, name)
	return err == nil
}

// The tour in doc.go names every package that exists and no other, and stays short
// enough to be read.
func TestTour(t *testing.T) {
	packages, named := map[string]bool{}, map[string]bool{}
	for _, f := range sources(t, os.DirFS("../..")) {
		if strings.HasPrefix(f.name, "internal/") {
			packages[module+path.Dir(f.name)] = true
		}
		if f.name != "cmd/bot/doc.go" {
			continue
		}
		tour := f.Doc.Text()
		if n := strings.Count(tour, "\n"); n > 80 {
			t.Errorf("the tour has %d lines, more than the 80 that someone reads", n)
		}
		for _, word := range strings.FieldsFunc(tour, func(r rune) bool { return strings.ContainsRune(" \n[],", r) }) {
			if strings.HasPrefix(word, module) {
				named[word] = true
			}
		}
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(packages)), slices.Sorted(maps.Keys(named))); diff != "" {
		t.Errorf("packages (-) and the tour (+) differ:\n%s", diff)
	}
}
