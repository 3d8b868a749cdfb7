package main

import (
	"errors"
	"strings"

	"citebot/internal/kb"
	"citebot/internal/kb/qdrant"
)

// qdrantConfig is where vectors are kept, if not in this process. Address and key come from
// the environment alone.
type qdrantConfig struct {
	Quantise  bool   `yaml:"quantise"`   // search int8 values in memory
	Shards    uint32 `yaml:"shards"`     // of a collection that is made; 0: as the server does
	Replicas  uint32 `yaml:"replicas"`   // of each shard; 0: as the server does
	LeaseFile string `yaml:"lease_file"` // locked by the bot that writes, in place of a lease in Qdrant

	URL        string `yaml:"-"`
	APIKey     string `yaml:"-"`
	Collection string `yaml:"-"`
}

func (c *qdrantConfig) readSecrets(env func(string) string) (err error) {
	c.URL, c.Collection = env("QDRANT_URL"), env("QDRANT_COLLECTION")
	c.APIKey, err = secret(env, "QDRANT_API_KEY")
	return err
}

func (c *qdrantConfig) on() bool { return c.URL != "" }

// set says whether bot.yaml says something about Qdrant.
func (c *qdrantConfig) set() bool { return c.Quantise || c.Shards+c.Replicas > 0 || c.LeaseFile != "" }

// validate opens a store as it would be, which calls nobody.
func (c *qdrantConfig) validate() error {
	switch {
	case !c.on() && c.APIKey != "":
		return errors.New("QDRANT_API_KEY is set but QDRANT_URL is not; set the address of Qdrant's gRPC port, for example http://127.0.0.1:6334")
	case !c.on():
		return nil
	case strings.ContainsFunc(c.APIKey, func(r rune) bool { return r <= ' ' || r > '~' }):
		return errors.New("QDRANT_API_KEY holds white space, or letters that no key has; copy it again")
	}
	s, err := qdrant.Open(c.store(nil))
	if err != nil {
		return err
	}
	return s.Close()
}

// store is the configuration of the store for a model; nil where that does not matter.
func (c *qdrantConfig) store(model kb.Embedder) qdrant.Config {
	cfg := qdrant.Config{
		URL: c.URL, APIKey: c.APIKey, Collection: c.Collection,
		Quantise: c.Quantise, Shards: c.Shards, Replicas: c.Replicas, LeaseFile: c.LeaseFile,
	}
	if model != nil {
		cfg.Model, cfg.Dim = model.ID(), model.Dim()
	}
	return cfg
}
