package embed

import (
	"strings"
	"testing"
)

// BenchmarkEmbed16Tokens is a short question, BenchmarkEmbed200Tokens a passage, each on
// one core; "plain" is the baseline, what machines without AVX2 get.
func BenchmarkEmbed16Tokens(b *testing.B)  { benchmarkEmbed(b, 16) }
func BenchmarkEmbed200Tokens(b *testing.B) { benchmarkEmbed(b, 200) }

func benchmarkEmbed(b *testing.B, tokens int) {
	text := strings.Repeat("policy ", tokens-2)
	for _, k := range kernelSets() {
		b.Run(k.name, func(b *testing.B) {
			m := newTestModel(b, k)
			e := m.encoder()
			e.resize(tokens)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := m.embed(b.Context(), e, "", text); err != nil {
					b.Fatal(err)
				}
			}
			if len(e.ids) != tokens {
				b.Fatalf("%d tokens", len(e.ids))
			}
			b.ReportMetric(float64(tokens*b.N)/b.Elapsed().Seconds(), "tokens/s")
		})
	}
}

func BenchmarkTokenizer(b *testing.B) {
	t := newTestModel(b, fastest()).tokenizer
	text := strings.Repeat("Refunds are issued within 5–7 business days (see §3.2); naïve unbelievability. ", 10)
	ids := t.encode(nil, "", text)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		ids = t.encode(ids, "", text)
	}
	b.ReportMetric(float64(len(ids)*b.N)/b.Elapsed().Seconds(), "tokens/s")
}

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		if _, err := New(); err != nil {
			b.Fatal(err)
		}
	}
}
