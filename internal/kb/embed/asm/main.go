// Command asm writes the AVX2 kernels of package embed. Each does the operations of the
// plain Go kernel of the same name in the same order, so that the results are equal to the
// bit: no fused multiply-add, sums in eight lanes, folded as lanes.total does.
//
// It is a module of its own to keep avo out of the program's dependencies.
package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

func main() {
	panel()
	matmul()
	transpose()
	maxAbs()
	round()
	softmax()
	gelu()
	addNorm()
	Generate()
}

const (
	lanes   = 8
	vector  = 4 * lanes // bytes in a register
	maxRows = 6
)

// argument loads a parameter into a register.
func argument(name string) Register {
	return Load(Param(name), GP64())
}

// bytes turns a number of elements into bytes.
func bytes(n Register, shift uint64) Register {
	SHLQ(U8(shift), n)
	return n
}

// rows addresses the rows of a matrix by multiples of its stride in bytes.
type rows struct{ base, stride, stride3, stride5 Register }

// newRows prepares the multiples that n rows need.
func newRows(base, stride Register, n int) rows {
	r := rows{base: base, stride: stride}
	if n > 3 {
		r.stride3 = GP64()
		LEAQ(Mem{Base: stride, Index: stride, Scale: 2}, r.stride3)
	}
	if n > 5 {
		r.stride5 = GP64()
		LEAQ(Mem{Base: stride, Index: stride, Scale: 4}, r.stride5)
	}
	return r
}

// at is the memory at a displacement in row i.
func (r rows) at(i, disp int) Mem {
	m := Mem{Base: r.base, Disp: disp}
	switch i {
	case 1, 2, 4:
		m.Index, m.Scale = r.stride, uint8(i)
	case 3:
		m.Index, m.Scale = r.stride3, 1
	case 5:
		m.Index, m.Scale = r.stride5, 1
	}
	return m
}

// tile is a block of accumulators, rows × two registers.
type tile [][2]VecVirtual

// newTile returns n rows of zeros.
func newTile(n int) tile {
	t := make(tile, n)
	for i := range t {
		t[i] = [2]VecVirtual{YMM(), YMM()}
		VXORPS(t[i][0], t[i][0], t[i][0])
		VXORPS(t[i][1], t[i][1], t[i][1])
	}
	return t
}

// perRows generates body for each height of a tile and the jump to the right one.
func perRows(name string, body func(n int)) {
	n := argument("rows")
	for i := 1; i < maxRows; i++ {
		CMPQ(n, U8(i))
		JEQ(LabelRef(label(name, i)))
	}
	for i := maxRows; i > 0; i-- {
		Label(label(name, i))
		body(i)
		VZEROUPPER()
		RET()
	}
}

func label(name string, n int) string {
	return name + string(rune('0'+n))
}

// loop generates body, to run while count, a positive multiple of step, falls to zero.
func loop(name string, count Register, step int, body func()) {
	Label(name)
	body()
	SUBQ(U8(step), count)
	JNE(LabelRef(name))
}

// panel is the integer product: 6 × 16 sums, of which each step adds the products of two
// inputs (VPMADDWD) for all; widening the weights is shared by the rows.
func panel() {
	TEXT("panelAVX2", NOSPLIT, "func(out *float32, ld int, x *int16, xscale *float32, rows int, panel string, scale, bias *float32)")
	Pragma("noescape")
	Doc("panelAVX2 is panel; len(panel) is a multiple of 128.")
	perRows("panel", func(n int) {
		sums := newTile(n)
		panelSums(sums, label("panelLoop", n))
		panelOut(sums)
	})
}

func panelSums(sums tile, name string) {
	const unroll = 4 // pairs of inputs in an iteration, 32 bytes of weights each
	w := Load(Param("panel").Base(), GP64())
	count := Load(Param("panel").Len(), GP64())
	stride := GP64()
	MOVQ(count, stride)
	SHRQ(U8(3), stride) // 16 outputs × K bytes of weights, K int16 activations
	x := newRows(argument("x"), stride, len(sums))
	loop(name, count, 32*unroll, func() {
		for u := range unroll {
			panelStep(sums, x, 4*u, Mem{Base: w, Disp: 32 * u})
		}
		ADDQ(U8(4*unroll), x.base)
		ADDQ(U32(32*unroll), w)
	})
}

func panelStep(sums tile, x rows, disp int, w Mem) {
	low, high, pair, product := YMM(), YMM(), YMM(), YMM()
	VPMOVSXBW(w, low)
	VPMOVSXBW(w.Offset(16), high)
	for i, sum := range sums {
		VPBROADCASTD(x.at(i, disp), pair)
		VPMADDWD(pair, low, product)
		VPADDD(product, sum[0], sum[0])
		VPMADDWD(pair, high, pair)
		VPADDD(pair, sum[1], sum[1])
	}
}

// panelOut scales the sums, adds the bias and stores them.
func panelOut(sums tile) {
	scale, bias := argument("scale"), argument("bias")
	xscale := argument("xscale")
	out, ld := argument("out"), bytes(argument("ld"), 2)
	factor, s := YMM(), YMM()
	for i, sum := range sums {
		VBROADCASTSS(Mem{Base: xscale, Disp: 4 * i}, factor)
		for half, v := range sum {
			VMULPS(Mem{Base: scale, Disp: vector * half}, factor, s)
			VCVTDQ2PS(v, v)
			VMULPS(s, v, v)
			VADDPS(Mem{Base: bias, Disp: vector * half}, v, v)
			VMOVUPS(v, Mem{Base: out, Disp: vector * half})
		}
		ADDQ(ld, out)
	}
}

func matmul() {
	TEXT("matmulAVX2", NOSPLIT, "func(c *float32, ldc int, a *float32, lda int, b *float32, ldb, rows, k, n int)")
	Pragma("noescape")
	Doc("matmulAVX2 is matmul; n is a multiple of 16.")
	perRows("matmul", func(height int) {
		c, b, n := argument("c"), argument("b"), argument("n")
		lda, ldb := bytes(argument("lda"), 2), bytes(argument("ldb"), 2)
		a := newRows(argument("a"), lda, height)
		loop(label("matmulColumns", height), n, 2*lanes, func() {
			sums := newTile(height)
			matmulSums(sums, a, b, ldb, label("matmulLoop", height))
			matmulOut(sums, c)
			ADDQ(U8(2*vector), b)
			ADDQ(U8(2*vector), c)
		})
	})
}

// matmulSums adds the products of a's rows with 16 columns of b.
func matmulSums(sums tile, a rows, b, ldb Register, name string) {
	k, row := argument("k"), GP64()
	MOVQ(b, row)
	start := a.base
	a.base = GP64()
	MOVQ(start, a.base)
	loop(name, k, 1, func() {
		low, high, factor, product := YMM(), YMM(), YMM(), YMM()
		VMOVUPS(Mem{Base: row}, low)
		VMOVUPS(Mem{Base: row, Disp: vector}, high)
		for i, sum := range sums {
			VBROADCASTSS(a.at(i, 0), factor)
			VMULPS(low, factor, product)
			VADDPS(product, sum[0], sum[0])
			VMULPS(high, factor, factor)
			VADDPS(factor, sum[1], sum[1])
		}
		ADDQ(U8(4), a.base)
		ADDQ(ldb, row)
	})
}

func matmulOut(sums tile, c Register) {
	row, ldc := GP64(), bytes(argument("ldc"), 2)
	MOVQ(c, row)
	for _, sum := range sums {
		VMOVUPS(sum[0], Mem{Base: row})
		VMOVUPS(sum[1], Mem{Base: row, Disp: vector})
		ADDQ(ldc, row)
	}
}

// transpose moves squares of 8 × 8.
func transpose() {
	const width = 32
	TEXT("transposeAVX2", NOSPLIT, "func(dst *float32, ld int, src *float32, n int)")
	Pragma("noescape")
	Doc("transposeAVX2 is transpose of n rows of 32; n is a multiple of 8.")
	dst, src, n := argument("dst"), argument("src"), argument("n")
	ld := bytes(argument("ld"), 2)
	loop("transposeLoop", n, lanes, func() {
		to := GP64()
		MOVQ(dst, to)
		for first := 0; first < width; first += lanes {
			for _, column := range transposed(src, 4*width, 4*first) {
				VMOVUPS(column, Mem{Base: to})
				ADDQ(ld, to)
			}
		}
		ADDQ(U32(lanes*4*width), src)
		ADDQ(U8(vector), dst)
	})
	VZEROUPPER()
	RET()
}

// transposed loads eight rows of eight values and returns their columns.
func transposed(src Register, stride, disp int) [lanes]VecVirtual {
	var row, pair, quad, column [lanes]VecVirtual
	for i := range row {
		row[i] = YMM()
		VMOVUPS(Mem{Base: src, Disp: disp + i*stride}, row[i])
	}
	for i := 0; i < lanes; i += 2 {
		pair[i], pair[i+1] = YMM(), YMM()
		VUNPCKLPS(row[i+1], row[i], pair[i])
		VUNPCKHPS(row[i+1], row[i], pair[i+1])
	}
	for i := range quad { // quad[4·h+c]: rows 4·h to 4·h+3 of columns c and c+4
		quad[i] = YMM()
		p := i&^3 + i>>1&1
		VSHUFPS(U8([]uint8{0x44, 0xEE}[i&1]), pair[p+2], pair[p], quad[i])
	}
	for i := range column {
		column[i] = YMM()
		VPERM2F128(U8([]uint8{0x20, 0x31}[i>>2]), quad[i&3+4], quad[i&3], column[i])
	}
	return column
}

// maxAbs and round are the two passes of quantise.
func maxAbs() {
	TEXT("maxAbsAVX2", NOSPLIT, "func(x *float32, n int) float32")
	Pragma("noescape")
	Doc("maxAbsAVX2 is the largest |x|; n is a multiple of 8.")
	x, n := argument("x"), argument("n")
	top, v := YMM(), YMM()
	VXORPS(top, top, top)
	loop("maxAbsLoop", n, lanes, func() {
		VMOVUPS(Mem{Base: x}, v)
		VANDPS(absMask(), v, v)
		VMAXPS(v, top, top)
		ADDQ(U8(vector), x)
	})
	result := fold(top, VMAXPS)
	Store(result, ReturnIndex(0))
	VZEROUPPER()
	RET()
}

func round() {
	TEXT("roundAVX2", NOSPLIT, "func(q *int16, x *float32, n int, factor float32)")
	Pragma("noescape")
	Doc("roundAVX2 sets q to x·factor, rounded to even; n is a multiple of 16.")
	q, x, n := argument("q"), argument("x"), argument("n")
	factor, low, high := YMM(), YMM(), YMM()
	VBROADCASTSS(NewParamAddr("factor", 24), factor)
	loop("roundLoop", n, 2*lanes, func() {
		VMULPS(Mem{Base: x}, factor, low)
		VMULPS(Mem{Base: x, Disp: vector}, factor, high)
		VCVTPS2DQ(low, low)
		VCVTPS2DQ(high, high)
		VPACKSSDW(high, low, low)
		VPERMQ(U8(0xD8), low, low) // the pack works in 128-bit halves
		VMOVDQU(low, Mem{Base: q})
		ADDQ(U8(2*vector), x)
		ADDQ(U8(vector), q)
	})
	VZEROUPPER()
	RET()
}

func softmax() {
	TEXT("softmaxAVX2", NOSPLIT, "func(x *float32, n int)")
	Pragma("noescape")
	Doc("softmaxAVX2 is softmax; n is a multiple of 8.")
	top, sum, v := YMM(), YMM(), YMM()
	VBROADCASTSS(Mem{Base: argument("x")}, top)
	inPlace("softmaxMax", func(m Mem) { VMAXPS(m, top, top) })
	VBROADCASTSS(fold(top, VMAXPS), top)
	VXORPS(sum, sum, sum)
	inPlace("softmaxExp", func(m Mem) {
		VMOVUPS(m, v)
		VSUBPS(top, v, v)
		e := exp(v)
		VMOVUPS(e, m)
		VADDPS(e, sum, sum)
	})
	factor := fold(sum, VADDPS)
	one := XMM()
	VMOVSS(constant("one", 1), one)
	VDIVSS(factor, one, factor)
	wide := YMM()
	VBROADCASTSS(factor, wide)
	inPlace("softmaxScale", func(m Mem) {
		VMULPS(m, wide, v)
		VMOVUPS(v, m)
	})
	VZEROUPPER()
	RET()
}

// inPlace generates a loop over the vectors of the parameters x and n.
func inPlace(name string, body func(m Mem)) {
	x, n := argument("x"), argument("n")
	loop(name, n, lanes, func() {
		body(Mem{Base: x})
		ADDQ(U8(vector), x)
	})
}

func gelu() {
	TEXT("geluAVX2", NOSPLIT, "func(x *float32, n int)")
	Pragma("noescape")
	Doc("geluAVX2 is gelu; n is a multiple of 8.")
	v, a, t, q, half, zero := YMM(), YMM(), YMM(), YMM(), YMM(), YMM()
	VXORPS(zero, zero, zero)
	inPlace("geluLoop", func(m Mem) {
		VMOVUPS(m, v)
		VANDPS(absMask(), v, a)
		VMULPS(constant("geluP", geluP), a, t)
		VADDPS(constant("one", 1), t, t)
		VMOVUPS(constant("one", 1), q)
		VDIVPS(t, q, t)
		VMULPS(constant("geluB5", geluB5), t, q)
		VADDPS(constant("geluB4", geluB4), q, q)
		horner(q, t, constant("geluB3", geluB3), constant("geluB2", geluB2), constant("geluB1", geluB1))
		VMULPS(t, q, q)
		VMULPS(a, a, half)
		VMULPS(constant("minusHalf", -0.5), half, half)
		VMULPS(exp(half), q, q)
		VMULPS(a, q, q)
		VMAXPS(zero, v, v)
		VSUBPS(q, v, v)
		VMOVUPS(v, m)
	})
	VZEROUPPER()
	RET()
}

// horner replaces p by p·x + c for each c.
func horner(p, x VecVirtual, coefficients ...Mem) {
	for _, c := range coefficients {
		VMULPS(p, x, p)
		VADDPS(c, p, p)
	}
}

// exp returns eˣ and changes x.
func exp(x VecVirtual) VecVirtual {
	shifted, n, p := YMM(), YMM(), YMM()
	VMAXPS(constant("expMin", -86), x, x)
	VMULPS(constant("log2e", math.Log2E), x, shifted)
	VADDPS(constant("expShift", 3<<22), shifted, shifted)
	VSUBPS(constant("expShift", 3<<22), shifted, n)
	VMULPS(constant("expLn2High", 0.693359375), n, p)
	VSUBPS(p, x, x)
	VMULPS(constant("expLn2Low", -2.12194440e-4), n, p)
	VSUBPS(p, x, x)
	VMULPS(constant("expC0", 1.9875691500e-4), x, p)
	VADDPS(constant("expC1", 1.3981999507e-3), p, p)
	horner(p, x, constant("expC2", 8.3334519073e-3), constant("expC3", 4.1665795894e-2),
		constant("expC4", 1.6666665459e-1), constant("expC5", 5.0000001201e-1))
	VMULPS(x, x, n)
	VMULPS(n, p, p)
	VADDPS(x, p, p)
	VADDPS(constant("one", 1), p, p)
	VPSLLD(U8(23), shifted, shifted)
	VPADDD(shifted, p, p)
	return p
}

func addNorm() {
	TEXT("addNormAVX2", NOSPLIT, "func(x, y, weight, bias *float32, n int)")
	Pragma("noescape")
	Doc("addNormAVX2 is addNorm; n is a multiple of 8.")
	length, one := XMM(), XMM()
	VXORPS(length, length, length)
	VCVTSI2SSQ(argument("n"), length, length)
	sum, v, mean := YMM(), YMM(), YMM()
	VXORPS(sum, sum, sum)
	y := argument("y")
	inPlace("addNormSum", func(m Mem) {
		VMOVUPS(m, v)
		VADDPS(Mem{Base: y}, v, v)
		VMOVUPS(v, m)
		VADDPS(v, sum, sum)
		ADDQ(U8(vector), y)
	})
	s := fold(sum, VADDPS)
	VDIVSS(length, s, s)
	VBROADCASTSS(s, mean)
	squares := YMM()
	VXORPS(squares, squares, squares)
	inPlace("addNormSquares", func(m Mem) {
		VMOVUPS(m, v)
		VSUBPS(mean, v, v)
		VMOVUPS(v, m)
		VMULPS(v, v, v)
		VADDPS(v, squares, squares)
	})
	s = fold(squares, VADDPS)
	VDIVSS(length, s, s)
	VADDSS(constant("epsilon", 1e-12), s, s)
	VSQRTSS(s, s, s)
	VMOVSS(constant("one", 1), one)
	VDIVSS(s, one, s)
	addNormOut(s)
	VZEROUPPER()
	RET()
}

func addNormOut(factor VecVirtual) {
	f, v := YMM(), YMM()
	VBROADCASTSS(factor, f)
	weight, bias := argument("weight"), argument("bias")
	inPlace("addNormOut", func(m Mem) {
		VMULPS(m, f, v)
		VMULPS(Mem{Base: weight}, v, v)
		VADDPS(Mem{Base: bias}, v, v)
		VMOVUPS(v, m)
		ADDQ(U8(vector), weight)
		ADDQ(U8(vector), bias)
	})
}

// fold combines the lanes of v in the order of lanes.total.
func fold(v VecVirtual, op func(...Op)) VecVirtual {
	low, high := v.AsX(), XMM()
	VEXTRACTF128(U8(1), v, high)
	result := XMM()
	op(high, low, result)
	VMOVHLPS(result, result, high)
	op(high, result, result)
	VMOVSHDUP(result, high)
	op(high, result, result)
	return result
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

var constants = map[string]Mem{}

// constant is a vector of equal values in memory.
func constant(name string, value float32) Mem {
	return bitsConstant(name, math.Float32bits(value))
}

// absMask clears signs.
func absMask() Mem {
	return bitsConstant("absMask", math.MaxInt32)
}

func bitsConstant(name string, bits uint32) Mem {
	m, ok := constants[name]
	if !ok {
		m = GLOBL(name, RODATA|NOPTR)
		for i := range lanes {
			DATA(4*i, U32(bits))
		}
		constants[name] = m
	}
	return m
}
