package embed

import (
	"context"
	"math"
)

// block is how many tokens pass through a chain of linear maps together: their feed-forward
// activations then stay in a 512 KiB L2 cache beside a panel of weights, and each panel is
// fetched once for eight tiles. On Zen 3, 24 and 96 are within 5 % of it at 200 tokens.
const block = 8 * maxRows

// An encoder runs texts through the model, one at a time. It owns the buffers, so it is not
// for concurrent use; the weights and kernels behind it are shared.
type encoder struct {
	*kernels
	weights *weights

	ids    []int32
	x      []float32 // [tokens][width], what the layers transform
	qkv    []float32 // [3·heads][tokens][headWidth]
	keys   []float32 // [headWidth][padded tokens], one head's keys transposed
	scores []float32 // [block][padded tokens]
	mixed  []float32 // [tokens][width], the attention's result

	// Of one block of tokens:
	quantised []int16   // [block][ffnWidth] at most
	scale     []float32 // [block]
	inner     []float32 // [block][ffnWidth]
	delta     []float32 // [block][width], what is added to x
}

// resize makes the buffers fit n tokens.
func (e *encoder) resize(n int) {
	rows := min(n, block)
	e.x = fit(e.x, n*width)
	e.qkv = fit(e.qkv, n*3*width)
	e.keys = fit(e.keys, headWidth*padded(n))
	e.scores = fit(e.scores, rows*padded(n))
	e.mixed = fit(e.mixed, n*width)
	e.quantised = fit(e.quantised, rows*ffnWidth)
	e.scale = fit(e.scale, rows)
	e.inner = fit(e.inner, rows*ffnWidth)
	e.delta = fit(e.delta, rows*width)
}

// fit returns s with length n, newly made if its capacity is too small.
func fit[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// padded rounds up to the width that kernels work in.
func padded(n int) int {
	return (n + 15) &^ 15
}

// encode returns the embedding of e.ids as a new vector of unit length. Once ctx has ended
// it returns its error within the time of one layer.
func (e *encoder) encode(ctx context.Context) ([]float32, error) {
	n := len(e.ids)
	e.resize(n)
	e.embedTokens()
	for i := range e.weights.layers {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		// Of the last layer only the first token is used.
		wanted := n
		if i == layers-1 {
			wanted = 1
		}
		e.layer(&e.weights.layers[i], n, wanted)
	}
	return unit(e.x[:width]), nil
}

// embedTokens sets x to the normalised sums of word and position rows.
func (e *encoder) embedTokens() {
	w := e.weights
	position := e.delta[:width]
	for i, id := range e.ids {
		x := e.row(i)
		w.word.dequantise(x, int(id))
		w.position.dequantise(position, i)
		e.addNorm(x, position, w.layerNorm.weight, w.layerNorm.bias)
	}
}

// dequantise writes row i to dst.
func (t *table) dequantise(dst []float32, i int) {
	scale := t.scale[i]
	row := t.rows[i*width:][:width]
	for j := range dst {
		dst[j] = float32(int8(row[j])) * scale
	}
}

// row is token i of x.
func (e *encoder) row(i int) []float32 {
	return e.x[i*width:][:width]
}

// layer replaces the first wanted of n tokens by their output of l.
func (e *encoder) layer(l *layer, n, wanted int) {
	for first := 0; first < n; first += block {
		e.project(l, n, first, min(first+block, n), min(first+block, wanted))
	}
	for head := range heads {
		e.attend(head, n, wanted)
	}
	for first := 0; first < wanted; first += block {
		e.transform(l, first, min(first+block, wanted))
	}
}

// project computes the keys and values of the tokens from first to last, and the queries
// of those before wanted.
func (e *encoder) project(l *layer, n, first, last, wanted int) {
	e.load(e.x, width, first, last)
	for part := range 3 * heads {
		rows := last - first
		if part < heads {
			rows = max(0, wanted-first)
		}
		head := l.qkv.slice(part*headWidth, headWidth)
		e.apply(&head, e.qkv[(part*n+first)*headWidth:], headWidth, rows)
	}
}

// attend writes one head's part of the first wanted rows of mixed.
func (e *encoder) attend(head, n, wanted int) {
	q := e.qkv[head*n*headWidth:]
	k := e.qkv[(heads+head)*n*headWidth:][:n*headWidth]
	v := e.qkv[(2*heads+head)*n*headWidth:]
	e.transpose(e.keys, padded(n), k)
	for first := 0; first < wanted; first += maxRows {
		rows := min(maxRows, wanted-first)
		e.matmul(e.scores, padded(n), q[first*headWidth:], headWidth, e.keys, padded(n), rows, headWidth, padded(n))
		for i := range rows {
			e.softmaxRow(i, n)
		}
		mixed := e.mixed[first*width+head*headWidth:]
		e.matmul(mixed, width, e.scores, padded(n), v, headWidth, rows, n, headWidth)
	}
}

// softmaxRow turns a row of scores of n keys into weights. The padding is pushed out of the
// sum first.
func (e *encoder) softmaxRow(i, n int) {
	row := e.scores[i*padded(n):][:padded(n)]
	for j := n; j < len(row); j++ {
		row[j] = -math.MaxFloat32
	}
	e.softmax(row)
}

// transform finishes a layer for the tokens from first to last: the attention's output map
// and the feed-forward maps, each with its residual and LayerNorm.
func (e *encoder) transform(l *layer, first, last int) {
	rows := last - first
	e.load(e.mixed, width, first, last)
	e.apply(&l.attnOut, e.delta, width, rows)
	e.residual(l.attnLN, first, last)

	e.load(e.x, width, first, last)
	e.apply(&l.ffnIn, e.inner, ffnWidth, rows)
	e.gelu(e.inner[:rows*ffnWidth])

	e.load(e.inner, ffnWidth, 0, rows)
	e.apply(&l.ffnOut, e.delta, width, rows)
	e.residual(l.ffnLN, first, last)
}

// load quantises the rows from first to last of x, each of n values, as the input of apply.
func (e *encoder) load(x []float32, n, first, last int) {
	for i := range last - first {
		e.scale[i] = e.quantise(e.quantised[i*n:][:n], x[(first+i)*n:][:n], limit(n))
	}
}

// apply maps the first rows of what was loaded: row t of l's outputs goes to out[t·ld].
func (e *encoder) apply(l *linear, out []float32, ld, rows int) {
	for o := 0; o < len(l.bias); o += panelWidth {
		panel := l.panels[o*l.in:][:panelWidth*l.in]
		scale, bias := l.scale[o:][:panelWidth], l.bias[o:][:panelWidth]
		for t := 0; t < rows; t += maxRows {
			end := min(t+maxRows, rows)
			e.panel(out[t*ld+o:], ld, e.quantised[t*l.in:end*l.in], e.scale[t:end], panel, scale, bias)
		}
	}
}

// residual adds delta to the rows of x from first to last and normalises them.
func (e *encoder) residual(n layerNorm, first, last int) {
	for i := range last - first {
		e.addNorm(e.row(first+i), e.delta[i*width:][:width], n.weight, n.bias)
	}
}

// unit returns a copy of v scaled to length 1.
func unit(v []float32) []float32 {
	var sum float64
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	factor := 1 / math.Sqrt(sum)
	u := make([]float32, len(v))
	for i, x := range v {
		u[i] = float32(float64(x) * factor)
	}
	return u
}
