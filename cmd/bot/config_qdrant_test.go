package main

import (
	"strings"
	"testing"

	"citebot/internal/kb/embed"
	"citebot/internal/kb/qdrant"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// What cannot be an address, a key or a name is told with what to write, and is never shown
// where it may hold a secret.
func TestQdrantSettings(t *testing.T) {
	const good = "http://127.0.0.1:6334"
	for _, test := range []struct {
		name, url, key, collection string
		want                       string // in the error; "": there is none
	}{
		{"off", "", "", "", ""},
		{"on", good, "", "", ""},
		{"all", "https://qdrant.example.com", "hushhush", "Support_2.prod-eu", ""},
		{"with a slash", good + "/", "", "", ""},
		{"IPv6", "http://[::1]:6334", "", "", ""},
		{"no scheme", "127.0.0.1:6334", "", "", "QDRANT_URL is not a web address; write that of Qdrant's gRPC port, for example http://127.0.0.1:6334"},
		{"another scheme", "grpc://127.0.0.1:6334", "", "", "QDRANT_URL is not a web address"},
		{"no host", "http://:6334", "", "", "QDRANT_URL is not a web address"},
		{"no port", "http://127.0.0.1:hush", "", "", "QDRANT_URL is not a web address"},
		{"the key as address", "hushhush", "", "", "QDRANT_URL is not a web address"},
		{"the key in the address", "http://user:hushhush@127.0.0.1:6334", "", "", "QDRANT_URL holds more than scheme, host and port; write it as http://127.0.0.1:6334, and the key to QDRANT_API_KEY"},
		{"the key behind the address", good + "?api_key=hushhush", "", "", "QDRANT_URL holds more than scheme, host and port"},
		{"a path", good + "/collections/hush", "", "", "QDRANT_URL holds more than scheme, host and port"},
		{"a port that is none", "http://127.0.0.1:63340", "", "", ""},
		{"a port too far", "http://127.0.0.1:633400", "", "", "QDRANT_URL"},
		{"a port out of reach", "http://127.0.0.1:63340000000000000000", "", "", "QDRANT_URL"},
		{"the key alone", "", "hushhush", "", "QDRANT_API_KEY is set but QDRANT_URL is not; set the address of Qdrant's gRPC port"},
		{"more than a key", good, "hushhush # of hush", "", "QDRANT_API_KEY holds white space"},
		{"two lines", good, "hush\nhush", "", "QDRANT_API_KEY holds white space"},
		{"no key's letters", good, "hüshhush", "", "QDRANT_API_KEY holds white space, or letters that no key has"},
		{"a name with a slash", good, "", "support/staff", `QDRANT_COLLECTION: "support/staff" is no collection's name; use letters, digits, dots, hyphens and underscores`},
		{"a name with dots before it", good, "", "../support", "QDRANT_COLLECTION"},
		{"a long name", good, "", strings.Repeat("a", 201), "at most 200"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := loadConfig(environment("QDRANT_URL", test.url, "QDRANT_API_KEY", test.key, "QDRANT_COLLECTION", test.collection),
				flags{Config: write(t, "bot.yaml", "")})
			switch {
			case test.want == "" && err != nil:
				t.Error(err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "; ")):
				t.Errorf("error %v does not say %q and what to do", err, test.want)
			case err != nil && (strings.Contains(err.Error(), "hush") || strings.Contains(err.Error(), "\n")):
				t.Errorf("the error shows a secret, or is two: %v", err)
			}
		})
	}
}

func TestQdrantSecretsFromFiles(t *testing.T) {
	file := write(t, "key", "hushhush\n")
	c, err := loadConfig(environment("QDRANT_URL", "http://127.0.0.1:6334", "QDRANT_API_KEY_FILE", file), flags{Config: write(t, "bot.yaml", "")})
	if err != nil || c.Qdrant.APIKey != "hushhush" {
		t.Errorf("the key is %q, error %v", c.Qdrant.APIKey, err)
	}
	for want, env := range map[string][]string{
		"both QDRANT_API_KEY and QDRANT_API_KEY_FILE are set; unset one": {"QDRANT_API_KEY", "hush", "QDRANT_API_KEY_FILE", file},
		"QDRANT_API_KEY_FILE: open nowhere":                              {"QDRANT_API_KEY_FILE", "nowhere"},
		"is empty; write the secret into it":                             {"QDRANT_API_KEY_FILE", write(t, "empty", "")},
	} {
		_, err := loadConfig(environment(append(env, "QDRANT_URL", "http://127.0.0.1:6334")...), flags{Config: write(t, "bot.yaml", "")})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hush") {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

// What bot.yaml shows is what the store gets.
func TestQdrantSection(t *testing.T) {
	c, err := loadConfig(environment("QDRANT_URL", "http://127.0.0.1:6334", "QDRANT_COLLECTION", "support"),
		flags{Config: write(t, "bot.yaml", sampleSection(t, "qdrant"))})
	if err != nil {
		t.Fatal(err)
	}
	model, err := embed.New()
	if err != nil {
		t.Fatal(err)
	}
	want := qdrant.Config{
		URL: "http://127.0.0.1:6334", Collection: "support", Model: model.ID(), Dim: model.Dim(),
		Quantise: true, Shards: 1, Replicas: 1, LeaseFile: "/run/citebot/writer.lock",
	}
	if diff := cmp.Diff(want, c.Qdrant.store(model), cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
}

func TestQdrantSectionMistakes(t *testing.T) {
	for text, want := range map[string]string{
		"qdrant:\n  quantize: true\n":             `bot.yaml:2: unknown key "quantize", did you mean "quantise"?`,
		"qdrant:\n  shards: 2\n  replica: 2\n":    `bot.yaml:3: unknown key "replica", did you mean "replicas"?`,
		"qdrant:\n  url: http://127.0.0.1:6334\n": `bot.yaml:2: unknown key "url"`,
		"qdrant:\n  api_key: hush\n":              `bot.yaml:2: unknown key "api_key"`,
		"qdrant:\n  shards: -1\n":                 "bot.yaml:2: ",
		"qdrant:\n  quantise: perhaps\n":          `bot.yaml:2: "perhaps" is not what belongs here`,
		"qdrant: http://127.0.0.1:6334\n":         "bot.yaml:1: ",
	} {
		_, err := loadConfig(environment(), flags{Config: write(t, "bot.yaml", text)})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hush") {
			t.Errorf("%q: error %v, want %s", text, err, want)
		}
	}
	if c, err := loadConfig(environment(), flags{Config: write(t, "bot.yaml", "qdrant:\n  # shards: 2\n")}); err != nil || c.Qdrant.set() || c.Qdrant.on() {
		t.Errorf("a section of comments: %+v, %v", c.Qdrant, err)
	}
}
