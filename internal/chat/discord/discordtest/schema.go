package discordtest

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// A schema is the vendor's OpenAPI description, which says what each request may look like.
// https://github.com/discord/discord-api-spec
type schema struct {
	doc   map[string]any
	paths map[string]string // "POST /channels/{}/messages" ─► "/channels/{channel_id}/messages"

	mu       sync.Mutex
	compiler *jsonschema.Compiler
	bodies   map[string]*jsonschema.Schema // by pointer
}

// vendorSchema reads the description once; nil where there is none.
var vendorSchema = sync.OnceValue(loadSchema)

const schemaFile = "../shared/discord-openapi.json" // from the module's root

func loadSchema() *schema {
	root, err := moduleRoot()
	if err != nil {
		return nil
	}
	file, err := os.Open(filepath.Join(root, filepath.FromSlash(schemaFile)))
	if err != nil {
		return nil
	}
	defer file.Close()
	doc, err := jsonschema.UnmarshalJSON(file)
	if err != nil {
		panic(fmt.Sprintf("discordtest: %s: %v", schemaFile, err))
	}
	return newSchema(object(doc))
}

// moduleRoot is the folder with go.mod, at or above the current one.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	for err == nil {
		if _, missing := os.Stat(filepath.Join(dir, "go.mod")); missing == nil {
			return dir, nil
		}
		if filepath.Dir(dir) == dir {
			return "", os.ErrNotExist
		}
		dir = filepath.Dir(dir)
	}
	return "", err
}

func newSchema(doc map[string]any) *schema {
	v := &schema{doc: doc, paths: map[string]string{}, compiler: jsonschema.NewCompiler(), bodies: map[string]*jsonschema.Schema{}}
	for path, item := range object(doc["paths"]) {
		for method := range object(item) {
			v.paths[general(strings.ToUpper(method)+" "+path)] = path
		}
	}
	v.compiler.AssertFormat()
	v.compiler.RegisterFormat(&jsonschema.Format{Name: "snowflake", Validate: snowflake})
	if err := v.compiler.AddResource("discord.json", doc); err != nil {
		panic(err) // it has been read already
	}
	return v
}

var (
	placeholder  = regexp.MustCompile(`\{[^}]*\}`)
	snowflakeIDs = regexp.MustCompile(`^[1-9][0-9]{14,19}$`)
)

// general is a route without the names of its parameters.
func general(route string) string { return placeholder.ReplaceAllString(route, "{}") }

func snowflake(v any) error {
	if id, ok := v.(string); ok && !snowflakeIDs.MatchString(id) {
		return fmt.Errorf("%q is no id of Discord's", id)
	}
	return nil
}

// operation finds what a route does.
func (v *schema) operation(route string) (op map[string]any, pointer string) {
	path, ok := v.paths[general(route)]
	if !ok {
		return nil, ""
	}
	method, _, _ := strings.Cut(route, " ")
	method = strings.ToLower(method)
	op = object(object(object(v.doc["paths"])[path])[method])
	return op, "/paths/" + strings.ReplaceAll(strings.ReplaceAll(path, "~", "~0"), "/", "~1") + "/" + method
}

// check holds a request's query and body against the description, a line for each breach.
func (v *schema) check(c *call) []string {
	op, at := v.operation(c.Route)
	if op == nil {
		return []string{"the vendor's schema knows no such route"}
	}
	lines := v.queries(c, op)
	body := object(op["requestBody"])
	switch {
	case body == nil && c.value != nil:
		return append(lines, "a body where the schema has none")
	case body == nil || c.value == nil && !truth(body["required"]):
		return lines
	case c.value == nil:
		return append(lines, "no body")
	}
	if err := v.body(at + "/requestBody/content/application~1json/schema").Validate(c.value); err != nil {
		lines = append(lines, breaches(err)...)
	}
	s := object(object(object(body["content"])["application/json"])["schema"])
	return append(lines, v.strangers(s, c.value, "")...)
}

// queries finds parameters that the route does not have.
func (v *schema) queries(c *call, op map[string]any) []string {
	var lines []string
	for _, name := range sortedKeys(c.query) {
		if !slices.ContainsFunc(objects(op["parameters"]), func(p map[string]any) bool { return text(p["name"]) == name }) {
			lines = append(lines, fmt.Sprintf("the schema knows no parameter %q", name))
		}
	}
	return lines
}

func (v *schema) body(pointer string) *jsonschema.Schema {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.bodies[pointer] == nil {
		v.bodies[pointer] = v.compiler.MustCompile("discord.json#" + pointer)
	}
	return v.bodies[pointer]
}

// breaches are the deepest causes of an error, which are the telling ones; of alternatives
// there are many.
func breaches(err error) []string {
	failed, ok := err.(*jsonschema.ValidationError)
	if !ok {
		return []string{err.Error()}
	}
	printer := message.NewPrinter(language.English)
	var lines []string
	deepest := 0
	var walk func(e *jsonschema.ValidationError)
	walk = func(e *jsonschema.ValidationError) {
		if len(e.Causes) == 0 {
			if n := len(e.InstanceLocation); n > deepest {
				deepest, lines = n, nil
			}
			if len(e.InstanceLocation) == deepest {
				lines = append(lines, fmt.Sprintf("at %q: %v", strings.Join(e.InstanceLocation, "."), e.ErrorKind.LocalizedString(printer)))
			}
		}
		for _, cause := range e.Causes {
			walk(cause)
		}
	}
	walk(failed)
	slices.Sort(lines)
	lines = slices.Compact(lines)
	return []string{"the schema: " + strings.Join(lines[:min(len(lines), 4)], "; ")}
}

// Keys that discordgo's ChannelMessageEditComplex leaks; Discord ignores them.
var leaked = []string{"ID", "Channel"}

// strangers finds keys that no alternative of a schema knows: typing errors. Null and false
// are what client libraries send for nothing.
func (v *schema) strangers(s map[string]any, value any, at string) []string {
	var lines []string
	switch value := value.(type) {
	case map[string]any:
		known, open := v.properties(s, value)
		for _, key := range sortedKeys(value) {
			lines = append(lines, v.stranger(known[key], open, value[key], at+"."+key)...)
		}
	case []any:
		items := v.items(s)
		for n, e := range value {
			lines = append(lines, v.strangers(items, e, fmt.Sprintf("%s[%d]", at, n))...)
		}
	}
	return lines
}

// stranger looks at one key; known is what its value may be, nil for a key unknown.
func (v *schema) stranger(known map[string]any, open bool, value any, at string) []string {
	key := at[strings.LastIndexByte(at, '.')+1:]
	switch {
	case known != nil:
		return v.strangers(known, value, at)
	case open || value == nil || value == false || slices.Contains(leaked, key):
		return nil
	}
	return []string{fmt.Sprintf("the schema knows no key %q", strings.TrimPrefix(at, "."))}
}

// properties are the keys that an object may have by all alternatives for its type; open
// says that it may have any.
func (v *schema) properties(s, value map[string]any) (known map[string]map[string]any, open bool) {
	all := map[string][]any{}
	for _, alternative := range v.alternatives(s) {
		props := object(alternative["properties"])
		if more, said := alternative["additionalProperties"]; said && more != false || props == nil && alternative["type"] == "object" {
			open = true
		}
		for key, p := range props {
			if fits(object(props["type"]), value["type"]) {
				all[key] = append(all[key], p)
			}
		}
	}
	known = map[string]map[string]any{}
	for key, some := range all {
		known[key] = map[string]any{"anyOf": some}
	}
	return known, open || len(all) == 0
}

// fits tells whether a type is among those of an alternative.
func fits(of map[string]any, kind any) bool {
	enum := list(of["enum"])
	return kind == nil || enum == nil || slices.ContainsFunc(enum, func(e any) bool { return fmt.Sprint(e) == fmt.Sprint(kind) })
}

func (v *schema) items(s map[string]any) map[string]any {
	var all []any
	for _, alternative := range v.alternatives(s) {
		if items := object(alternative["items"]); items != nil {
			all = append(all, items)
		}
	}
	if all == nil {
		return nil
	}
	return map[string]any{"anyOf": all}
}

// alternatives resolves references and unions.
func (v *schema) alternatives(s map[string]any) []map[string]any {
	if ref := text(s["$ref"]); ref != "" {
		return v.alternatives(object(object(object(v.doc["components"])["schemas"])[strings.TrimPrefix(ref, "#/components/schemas/")]))
	}
	all := []map[string]any{s}
	for _, union := range []string{"oneOf", "anyOf", "allOf"} {
		for _, e := range objects(s[union]) {
			all = append(all, v.alternatives(e)...)
		}
	}
	return all
}
