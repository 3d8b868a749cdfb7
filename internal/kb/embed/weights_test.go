package embed

import (
	"strings"
	"testing"
)

func TestLoadWeights(t *testing.T) {
	w, err := loadWeights(weightsFile, vocabFile)
	if err != nil {
		t.Fatal(err)
	}
	// The last parts lie where they should only if all before them do.
	last := w.layers[layers-1]
	if got := weightsFile[len(weightsFile)-len(last.ffnOut.panels):]; got != last.ffnOut.panels {
		t.Error("the last matrix is not the end of the file")
	}
	for i, f := range last.ffnLN.weight {
		if f < 0.1 || f > 10 {
			t.Fatalf("last LayerNorm weight [%d] = %g", i, f)
		}
	}
}

// The bound that keeps int32 sums from overflowing assumes that no weight is -128.
func TestWeightsAreSymmetric(t *testing.T) {
	w, err := loadWeights(weightsFile, vocabFile)
	if err != nil {
		t.Fatal(err)
	}
	for i := range w.layers {
		for _, l := range []linear{w.layers[i].qkv, w.layers[i].attnOut, w.layers[i].ffnIn, w.layers[i].ffnOut} {
			if strings.IndexByte(l.panels, 0x80) >= 0 {
				t.Errorf("layer %d has a weight of -128", i)
			}
		}
	}
}

func TestLoadWeightsRefuses(t *testing.T) {
	change := func(at int) string {
		return weightsFile[:at] + string([]byte{weightsFile[at] ^ 1}) + weightsFile[at+1:]
	}
	for _, c := range []struct{ name, file, vocab, want string }{
		{"empty", "", vocabFile, "header"},
		{"magic", change(0), vocabFile, "another format"},
		{"version", change(8), vocabFile, "another format"},
		{"layers", change(24), vocabFile, "another format"},
		{"first float", change(headerSize), vocabFile, "damaged"},
		{"last byte", change(len(weightsFile) - 1), vocabFile, "damaged"},
		{"cut", weightsFile[:len(weightsFile)-1], vocabFile, "bytes of weights"},
		{"vocabulary", weightsFile, strings.Replace(vocabFile, "the\n", "teh\n", 1), "vocab.txt"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := loadWeights(c.file, c.vocab); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}
