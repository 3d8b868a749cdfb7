package embed

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"os"
	"testing"
)

// kernelSets are the sets that this machine can run, plain first.
func kernelSets() []*kernels {
	if k := fastest(); k != &plain {
		return []*kernels{&plain, k}
	}
	return []*kernels{&plain}
}

func newTestModel(t testing.TB, k *kernels) *Model {
	t.Helper()
	m, err := newModel(k)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// A testText is a line of texts.jsonl or tokens.jsonl; convert/reference.py writes the IDs.
type testText struct {
	Text string  `json:"text"`
	IDs  []int32 `json:"ids"`
}

func readTexts(t testing.TB, name string) []testText {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var texts []testText
	for d := json.NewDecoder(bufio.NewReader(f)); d.More(); {
		var text testText
		if err := d.Decode(&text); err != nil {
			t.Fatal(name, err)
		}
		texts = append(texts, text)
	}
	return texts
}

// readVectors returns the reference vectors of testdata/texts.jsonl.
func readVectors(t testing.TB, n int) [][width]float32 {
	t.Helper()
	f, err := os.Open("testdata/vectors.f32")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	vectors := make([][width]float32, n)
	if err := binary.Read(f, binary.LittleEndian, vectors); err != nil {
		t.Fatal(err)
	}
	return vectors
}

func dot(a, b []float32) (sum float64) {
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum
}
