package embed

import "math"

// kernels is the arithmetic of the encoder. There are two sets, plain and (on amd64) AVX2,
// with identical results. Rows are contiguous; n is a multiple of 16 unless said otherwise.
type kernels struct {
	name string

	// quantise writes x/scale, rounded to even, to q and returns the scale, which maps
	// the largest |x| to limit. len(q) = len(x) = n.
	quantise func(q []int16, x []float32, limit float32) float32

	// panel computes 16 outputs of a linear for len(xscale) tokens, 1 to maxRows of
	// them: out[t·ld+o] as in the package comment. x is [tokens][K]int16, panel
	// [K/2][16][2]int8, K a multiple of 8; scale and bias are those of the 16 outputs.
	panel func(out []float32, ld int, x []int16, xscale []float32, panel string, scale, bias []float32)

	// matmul sets c = a·b for 1 to maxRows rows of a: c is [rows][n] with row stride ldc,
	// a [rows][k] with lda, b [k][n] with ldb. Each sum runs over k in order.
	matmul func(c []float32, ldc int, a []float32, lda int, b []float32, ldb, rows, k, n int)

	// transpose sets dst[j][i] = src[i][j] for the len(src)/headWidth rows of src; dst
	// has row stride ld. Columns of dst up to the next multiple of 8 may be overwritten.
	transpose func(dst []float32, ld int, src []float32)

	// softmax replaces x by exp(x-max x), scaled to sum to 1.
	softmax func(x []float32)

	// gelu replaces each x by x·Φ(x).
	gelu func(x []float32)

	// addNorm replaces x by the LayerNorm of x+y.
	addNorm func(x, y, weight, bias []float32)
}

// maxRows is the height of a tile: with 6 rows of 16 outputs the accumulators take 12 of
// AVX2's 16 registers, the most that leaves room for the operands.
const maxRows = 6

var plain = kernels{
	name:      "plain",
	quantise:  quantise,
	panel:     panel,
	matmul:    matmul,
	transpose: transpose,
	softmax:   softmax,
	gelu:      gelu,
	addNorm:   addNorm,
}

// limit is the largest int16 activation for which a sum of k products with weights of at
// most 127 fits an int32.
func limit(k int) float32 {
	return float32(min(math.MaxInt16, math.MaxInt32/(127*k)))
}

func quantise(q []int16, x []float32, limit float32) float32 {
	var top float32
	for _, v := range x {
		top = max(top, abs(v))
	}
	if top == 0 {
		clear(q)
		return 0
	}
	factor := limit / top
	for i, v := range x {
		q[i] = int16(math.RoundToEven(float64(v * factor)))
	}
	return top / limit
}

func panel(out []float32, ld int, x []int16, xscale []float32, panel string, scale, bias []float32) {
	k, rows := len(panel)/panelWidth, len(xscale)
	row := func(t int) []int16 { return x[min(t, rows-1)*k:][:k] }
	for t := 0; t < rows; t += 3 {
		for o := 0; o < panelWidth; o += 2 {
			var sums [3]int64
			sums[0], sums[1], sums[2] = dot3x2(row(t), row(t+1), row(t+2), panel[2*o:])
			for i, sum := range sums[:min(3, rows-t)] {
				scalePair(out[(t+i)*ld+o:], sum, xscale[t+i], scale[o:], bias[o:])
			}
		}
	}
}

// scalePair writes the two outputs whose sums dot3x2 returned as one.
func scalePair(out []float32, sum int64, xscale float32, scale, bias []float32) {
	low := int32(sum)
	high := int32((sum - int64(low)) >> 32)
	out[0] = float32(float32(low)*(xscale*scale[0])) + bias[0]
	out[1] = float32(float32(high)*(xscale*scale[1])) + bias[1]
}

// dot3x2 returns the sums of three tokens' products with the first two outputs of panel,
// one in the low 32 bits of each result and one, less the borrow of the low, in the high:
// a 64-bit multiplication makes two products at once. That, and sharing the weights, doubles
// the speed of the obvious loop (BenchmarkEmbed16Tokens/plain: 308 to 152 ms).
func dot3x2(x, y, z []int16, panel string) (a, b, c int64) {
	y, z = y[:len(x)], z[:len(x)]
	for i := 0; i+1 < len(x); i += 2 {
		w := panel[i*panelWidth:][:4]
		first := int64(int8(w[0])) + int64(int8(w[2]))<<32
		second := int64(int8(w[1])) + int64(int8(w[3]))<<32
		a += first*int64(x[i]) + second*int64(x[i+1])
		b += first*int64(y[i]) + second*int64(y[i+1])
		c += first*int64(z[i]) + second*int64(z[i+1])
	}
	return a, b, c
}

func matmul(c []float32, ldc int, a []float32, lda int, b []float32, ldb, rows, k, n int) {
	for i := range rows {
		row := c[i*ldc:][:n]
		clear(row)
		for j, f := range a[i*lda:][:k] {
			for o, v := range b[j*ldb:][:n] {
				row[o] += float32(f * v)
			}
		}
	}
}

func transpose(dst []float32, ld int, src []float32) {
	for i := range len(src) / headWidth {
		for j, v := range src[i*headWidth:][:headWidth] {
			dst[j*ld+i] = v
		}
	}
}

func softmax(x []float32) {
	top := x[0]
	for _, v := range x {
		top = max(top, v)
	}
	var sums lanes
	for i, v := range x {
		e := exp(v - top)
		x[i] = e
		sums[i%len(sums)] += e
	}
	factor := 1 / sums.total()
	for i := range x {
		x[i] *= factor
	}
}

func addNorm(x, y, weight, bias []float32) {
	n := float32(len(x))
	var sums, squares lanes
	for i := range x {
		x[i] += y[i]
		sums[i%len(sums)] += x[i]
	}
	mean := sums.total() / n
	for i, v := range x {
		x[i] = v - mean
		squares[i%len(squares)] += float32(x[i] * x[i])
	}
	const epsilon = 1e-12 // the model's
	factor := 1 / sqrt(squares.total()/n+epsilon)
	for i, v := range x {
		x[i] = float32(v*factor*weight[i]) + bias[i]
	}
}

// gelu is x·Φ(x) = max(x,0) - |x|·Q(|x|), with Q(x) ≈ exp(-x²/2)·t·(b1+b2·t+…+b5·t⁴),
// t = 1/(1+p·x), of Abramowitz and Stegun, 26.2.17, whose error is below 7.5e-8; the
// factor 1/√(2π) of their Z(x) is in the coefficients.
func gelu(x []float32) {
	for i, v := range x {
		a := abs(v)
		t := 1 / (float32(geluP*a) + 1)
		q := float32(t*geluB5) + geluB4
		q = float32(t*q) + geluB3
		q = float32(t*q) + geluB2
		q = float32(t*q) + geluB1
		tail := float32(t*q) * exp(float32(a*a)*-0.5)
		x[i] = max(v, 0) - float32(a*tail)
	}
}

const (
	root2Pi = math.Sqrt2 * math.SqrtPi
	geluP   = 0.2316419
	geluB1  = 0.319381530 / root2Pi
	geluB2  = -0.356563782 / root2Pi
	geluB3  = 1.781477937 / root2Pi
	geluB4  = -1.821255978 / root2Pi
	geluB5  = 1.330274429 / root2Pi
)

// exp is eˣ for x ≤ 0 with a relative error below 2e-7; below -86 it stays at e⁻⁸⁶, which
// is still a normal number. x = n·ln 2 + r with ln 2 in two parts, and a polynomial in r
// (Moshier, Cephes, expf.c).
func exp(x float32) float32 {
	x = max(x, expMin)
	shifted := float32(x*math.Log2E) + expShift
	n := shifted - expShift
	r := x - float32(n*expLn2High)
	r -= float32(n * expLn2Low)
	p := float32(r*expC0) + expC1
	p = float32(r*p) + expC2
	p = float32(r*p) + expC3
	p = float32(r*p) + expC4
	p = float32(r*p) + expC5
	p = float32(float32(r*r)*p) + r + 1
	return math.Float32frombits(math.Float32bits(p) + math.Float32bits(shifted)<<23)
}

const (
	expMin     = -86
	expShift   = 3 << 22 // adding it rounds to an integer, which the low bits then hold
	expLn2High = 0.693359375
	expLn2Low  = -2.12194440e-4
	expC0      = 1.9875691500e-4
	expC1      = 1.3981999507e-3
	expC2      = 8.3334519073e-3
	expC3      = 4.1665795894e-2
	expC4      = 1.6666665459e-1
	expC5      = 5.0000001201e-1
)

// lanes are the eight partial sums that a vector register holds.
type lanes [8]float32

// total adds the lanes in the order in which the assembly folds a register.
func (l *lanes) total() float32 {
	return ((l[0] + l[4]) + (l[2] + l[6])) + ((l[1] + l[5]) + (l[3] + l[7]))
}

func abs(x float32) float32 {
	return math.Float32frombits(math.Float32bits(x) &^ (1 << 31))
}

func sqrt(x float32) float32 {
	return float32(math.Sqrt(float64(x)))
}
