package embed

import (
	_ "embed"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"
)

const (
	vocabSize = 30522
	width     = 384 // of a token between the layers, and of the embedding
	layers    = 12
	heads     = 12
	headWidth = width / heads
	ffnWidth  = 1536

	panelWidth = 16 // outputs in a panel
	headerSize = 128
)

//go:embed bge-small-en-v1.5.int8
var weightsFile string

//go:embed vocab.txt
var vocabFile string

// A header is the start of the weights file; the package comment has its layout.
type header struct {
	Magic                                                [8]byte
	Version, Vocab, Positions, Width, Layers, Heads, FFN uint32
	VocabSum, BodySum                                    uint32
	Source                                               [32]byte
	_                                                    [headerSize - 76]byte
}

// wanted is the header of the file that this code can use, but for its sums.
var wanted = header{
	Magic:   [8]byte([]byte("BGEint8\n")),
	Version: 1, Vocab: vocabSize, Positions: maxTokens, Width: width, Layers: layers, Heads: heads, FFN: ffnWidth,
}

// A model's parameters. The matrices are parts of the weights file.
type weights struct {
	word, position table
	layerNorm      layerNorm
	layers         [layers]layer
}

type layer struct {
	qkv     linear // width → 3·width: queries, keys, values, each head by head
	attnOut linear // width → width
	attnLN  layerNorm
	ffnIn   linear // width → ffnWidth
	ffnOut  linear // ffnWidth → width
	ffnLN   layerNorm
}

// A table holds rows of width int8 values, each row with its scale.
type table struct {
	rows  string
	scale []float32
}

// A layerNorm is the weight and bias of one.
type layerNorm struct {
	weight, bias []float32
}

// A linear is a quantised map from in values to len(bias) values.
type linear struct {
	in          int
	panels      string // [outputs/16][in/2][16][2]int8
	scale, bias []float32
}

// slice is the part of l that computes n outputs from the first on; both are multiples
// of panelWidth.
func (l *linear) slice(first, n int) linear {
	return linear{
		in:     l.in,
		panels: l.panels[first*l.in : (first+n)*l.in],
		scale:  l.scale[first : first+n],
		bias:   l.bias[first : first+n],
	}
}

// loadWeights checks a weights file against the code and its vocabulary, and cuts it up.
func loadWeights(file, vocab string) (*weights, error) {
	if err := checkWeights(file, vocab); err != nil {
		return nil, fmt.Errorf("embedded model: %w", err)
	}
	body := file[headerSize:]
	floats := make([]float32, floatCount())
	if err := binary.Read(strings.NewReader(body), binary.LittleEndian, floats); err != nil {
		return nil, fmt.Errorf("embedded model: %w", err)
	}
	c := cutter{floats: floats, bytes: body[4*len(floats):]}
	w := c.weights()
	if len(c.floats) != 0 || len(c.bytes) != 0 {
		return nil, errors.New("embedded model: the file is longer than its parts")
	}
	return w, nil
}

func checkWeights(file, vocab string) error {
	var h header
	if err := binary.Read(strings.NewReader(file), binary.LittleEndian, &h); err != nil {
		return fmt.Errorf("header: %w", err)
	}
	want := wanted
	want.VocabSum, want.BodySum, want.Source = h.VocabSum, h.BodySum, h.Source
	switch body := file[headerSize:]; {
	case h != want:
		return errors.New("the weights file is of another format; run convert/convert.py")
	case len(body) != 4*floatCount()+byteCount():
		return fmt.Errorf("%d bytes of weights, want %d", len(body), 4*floatCount()+byteCount())
	case checksum(vocab) != h.VocabSum:
		return errors.New("vocab.txt is not the one that the weights were made with")
	case checksum(body) != h.BodySum:
		return errors.New("the weights are damaged")
	}
	return nil
}

// floatCount is the number of float32 in the file.
func floatCount() int {
	const linears = 2 * (3*width + width + ffnWidth + width)
	return vocabSize + maxTokens + 2*width + layers*(linears+2*2*width)
}

// byteCount is the number of int8 in the file.
func byteCount() int {
	return width * (vocabSize + maxTokens + layers*(3*width+width+2*ffnWidth))
}

// checksum is the CRC-32C of s, computed through a buffer since s must not be copied whole.
func checksum(s string) uint32 {
	var buf [32 << 10]byte
	castagnoli := crc32.MakeTable(crc32.Castagnoli)
	sum := uint32(0)
	for len(s) > 0 {
		n := copy(buf[:], s)
		sum = crc32.Update(sum, castagnoli, buf[:n])
		s = s[n:]
	}
	return sum
}

// A cutter takes the parts of a file in order. The sizes were checked before.
type cutter struct {
	floats []float32
	bytes  string
}

func (c *cutter) weights() *weights {
	w := &weights{word: c.table(vocabSize), position: c.table(maxTokens), layerNorm: c.layerNorm()}
	for i := range w.layers {
		w.layers[i] = c.layer()
	}
	return w
}

func (c *cutter) layer() layer {
	return layer{
		qkv:     c.linear(width, 3*width),
		attnOut: c.linear(width, width),
		ffnIn:   c.linear(width, ffnWidth),
		ffnOut:  c.linear(ffnWidth, width),
		attnLN:  c.layerNorm(),
		ffnLN:   c.layerNorm(),
	}
}

func (c *cutter) table(rows int) table {
	return table{rows: c.int8s(rows * width), scale: c.float32s(rows)}
}

func (c *cutter) layerNorm() layerNorm {
	return layerNorm{weight: c.float32s(width), bias: c.float32s(width)}
}

func (c *cutter) linear(in, out int) linear {
	return linear{in: in, panels: c.int8s(in * out), scale: c.float32s(out), bias: c.float32s(out)}
}

func (c *cutter) float32s(n int) []float32 {
	part := c.floats[:n:n]
	c.floats = c.floats[n:]
	return part
}

func (c *cutter) int8s(n int) string {
	part := c.bytes[:n]
	c.bytes = c.bytes[n:]
	return part
}
