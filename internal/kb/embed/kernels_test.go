package embed

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A buffers is a source of reproducible operands.
type buffers struct{ *rand.Rand }

func newBuffers(seed uint64) buffers { return buffers{rand.New(rand.NewPCG(seed, 1))} }

// floats are n values around zero, some of them zero and a few large.
func (b buffers) floats(n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		switch x[i] = float32(b.NormFloat64()); b.IntN(20) {
		case 0:
			x[i] = 0
		case 1:
			x[i] *= 30
		}
	}
	return x
}

func (b buffers) int16s(n int, limit float32) []int16 {
	x := make([]int16, n)
	for i := range x {
		x[i] = int16(b.IntN(2*int(limit)+1) - int(limit))
	}
	return x
}

// weights are n int8 from -127 to 127.
func (b buffers) weights(n int) string {
	w := make([]byte, n)
	for i := range w {
		w[i] = byte(b.IntN(255) - 127)
	}
	return string(w)
}

// bits makes a difference of a NaN or of a zero's sign visible.
func bits(x []float32) []uint32 {
	b := make([]uint32, len(x))
	for i, v := range x {
		b[i] = math.Float32bits(v)
	}
	return b
}

// same runs a kernel of every set and demands the same bits of what it returns.
func same(t *testing.T, name string, run func(k *kernels) []float32) {
	t.Helper()
	want := bits(run(&plain))
	for _, k := range kernelSets()[1:] {
		if diff := cmp.Diff(want, bits(run(k))); diff != "" {
			t.Errorf("%s (-plain +%s):\n%s", name, k.name, diff)
		}
	}
}

func TestKernelsAgree(t *testing.T) {
	for seed := range uint64(20) {
		b := newBuffers(seed)
		n := 16 * (1 + b.IntN(40))
		x, y, weight, bias := b.floats(n), b.floats(n), b.floats(n), b.floats(n)
		inPlace := func(name string, f func(k *kernels, x []float32)) {
			same(t, fmt.Sprintf("%s of %d", name, n), func(k *kernels) []float32 {
				got := slices.Clone(x)
				f(k, got)
				return got
			})
		}
		inPlace("softmax", func(k *kernels, x []float32) { k.softmax(x) })
		inPlace("gelu", func(k *kernels, x []float32) { k.gelu(x) })
		inPlace("addNorm", func(k *kernels, x []float32) { k.addNorm(x, y, weight, bias) })
		inPlace("quantise", func(k *kernels, x []float32) { quantiseInPlace(k, x) })
	}
	same(t, "quantise zeros", func(k *kernels) []float32 {
		x := make([]float32, 32)
		quantiseInPlace(k, x)
		return x
	})
}

// quantiseInPlace replaces x by its quantised values and the first by the scale.
func quantiseInPlace(k *kernels, x []float32) {
	q := slices.Repeat([]int16{7}, len(x))
	scale := k.quantise(q, x, limit(ffnWidth))
	for i, v := range q {
		x[i] = float32(v)
	}
	x[0] = scale
}

func TestPanelKernelsAgree(t *testing.T) {
	b := newBuffers(1)
	for _, in := range []int{8, 64, width, ffnWidth} {
		for rows := 1; rows <= maxRows; rows++ {
			x, xscale := b.int16s(rows*in, limit(in)), b.floats(rows)
			w, scale, bias := b.weights(in*panelWidth), b.floats(panelWidth), b.floats(panelWidth)
			const ld = panelWidth + 3
			same(t, fmt.Sprintf("panel %d×%d", rows, in), func(k *kernels) []float32 {
				out := b.untouched(rows * ld)
				k.panel(out, ld, x, xscale, w, scale, bias)
				return out
			})
		}
	}
}

// untouched is what a kernel must not change outside its result.
func (buffers) untouched(n int) []float32 { return slices.Repeat([]float32{-12345}, n) }

func TestMatmulKernelsAgree(t *testing.T) {
	b := newBuffers(2)
	for rows := 1; rows <= maxRows; rows++ {
		for _, k := range []int{1, 2, headWidth, 77} {
			for _, n := range []int{16, 32, 208} {
				lda, ldb, ldc := k+1, n+2, n+3
				x, y := b.floats(rows*lda), b.floats(k*ldb)
				same(t, fmt.Sprintf("matmul %d×%d×%d", rows, k, n), func(s *kernels) []float32 {
					c := b.untouched(rows * ldc)
					s.matmul(c, ldc, x, lda, y, ldb, rows, k, n)
					return c
				})
			}
		}
	}
}

func TestTransposeKernelsAgree(t *testing.T) {
	b := newBuffers(3)
	for _, n := range []int{1, 7, 8, 9, 16, 31, 512} {
		src := b.floats(n * headWidth)
		same(t, fmt.Sprintf("transpose %d", n), func(k *kernels) []float32 {
			dst := b.untouched(headWidth * padded(n))
			k.transpose(dst, padded(n), src)
			return dst
		})
	}
}

// The largest sums that can arise must not overflow, in any set.
func TestPanelCannotOverflow(t *testing.T) {
	for _, k := range kernelSets() {
		for _, in := range []int{width, ffnWidth} {
			for _, sign := range []int16{1, -1} {
				x := slices.Repeat([]int16{sign * int16(limit(in))}, in)
				w := string(slices.Repeat([]byte{127}, in*panelWidth))
				out, ones := make([]float32, panelWidth), slices.Repeat([]float32{1}, panelWidth)
				k.panel(out, panelWidth, x, ones[:1], w, ones, make([]float32, panelWidth))
				want := float32(127 * int64(in) * int64(x[0]))
				if out[0] != want || out[panelWidth-1] != want {
					t.Errorf("%s: %d products of ±127 and %d sum to %g, want %g", k.name, in, x[0], out[0], want)
				}
			}
		}
	}
}

// A tiny map, worked out by hand, fixes the order of the packed weights.
func TestPanelLayout(t *testing.T) {
	const in = 8
	w := make([]byte, in*panelWidth)
	w[(5/2*panelWidth+3)*2+5%2] = 2 // output 3 of input 5
	for _, k := range kernelSets() {
		out := make([]float32, panelWidth)
		x := []int16{1, 10, 100, 1000, 10000, 7, 70, 700}
		scale := slices.Repeat([]float32{0.5}, panelWidth)
		bias := slices.Repeat([]float32{1}, panelWidth)
		k.panel(out, panelWidth, x, []float32{10}, string(w), scale, bias)
		want := slices.Repeat([]float32{1}, panelWidth)
		want[3] = 7*2*10*0.5 + 1
		if diff := cmp.Diff(want, out); diff != "" {
			t.Errorf("%s (-want +got):\n%s", k.name, diff)
		}
	}
}

func TestExpError(t *testing.T) {
	for x := float32(0); x > expMin; x -= 0.00137 {
		want := math.Exp(float64(x))
		if got := float64(exp(x)); math.Abs(got-want) > 2e-7*want {
			t.Fatalf("exp(%g) = %g, want %g", x, got, want)
		}
	}
	if got := exp(float32(math.Inf(-1))); got < 0 || got > 1e-37 {
		t.Errorf("exp(-Inf) = %g", got)
	}
}

func TestGELUError(t *testing.T) {
	for x := float32(-12); x < 12; x += 0.00093 {
		got := []float32{x}
		gelu(got)
		want := float64(x) * 0.5 * math.Erfc(-float64(x)/math.Sqrt2)
		if math.Abs(float64(got[0])-want) > 2e-7*max(1, math.Abs(float64(x))) {
			t.Fatalf("gelu(%g) = %g, want %g", x, got[0], want)
		}
	}
}

func TestSoftmax(t *testing.T) {
	for _, k := range kernelSets() {
		x := slices.Repeat([]float32{-math.MaxFloat32}, 16)
		x[0], x[1], x[2] = 5, 5+math.Ln2, -200
		k.softmax(x)
		for i, want := range []float64{1. / 3, 2. / 3, 0, 0} {
			if math.Abs(float64(x[i])-want) > 1e-6 {
				t.Errorf("%s: softmax[%d] = %g, want %g", k.name, i, x[i], want)
			}
		}
	}
}

func TestAddNorm(t *testing.T) {
	b := newBuffers(4)
	x, y, weight, bias := b.floats(width), b.floats(width), b.floats(width), b.floats(width)
	want := layerNormReference(x, y, weight, bias)
	addNorm(x, y, weight, bias)
	for i := range x {
		if math.Abs(float64(x[i])-want[i]) > 1e-5*(1+math.Abs(want[i])) {
			t.Fatalf("addNorm[%d] = %g, want %g", i, x[i], want[i])
		}
	}
}

// layerNormReference is the textbook's, in float64.
func layerNormReference(x, y, weight, bias []float32) []float64 {
	var mean, variance float64
	n := float64(len(x))
	for i := range x {
		mean += (float64(x[i]) + float64(y[i])) / n
	}
	for i := range x {
		d := float64(x[i]) + float64(y[i]) - mean
		variance += d * d / n
	}
	out := make([]float64, len(x))
	for i := range x {
		out[i] = (float64(x[i])+float64(y[i])-mean)/math.Sqrt(variance)*float64(weight[i]) + float64(bias[i])
	}
	return out
}
