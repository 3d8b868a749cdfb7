package embed

import "golang.org/x/sys/cpu"

//go:generate go -C asm run . -out ../avx2_amd64.s -stubs ../avx2_amd64.go -pkg embed

// fastest returns the best kernels that this processor runs.
func fastest() *kernels {
	if cpu.X86.HasAVX2 {
		return &avx2
	}
	return &plain
}

// avx2 computes exactly what plain does. The functions below check the bounds of what the
// assembly touches, which itself checks nothing.
var avx2 = kernels{
	name:      "avx2",
	quantise:  quantiseVector,
	panel:     panelVector,
	matmul:    matmulVector,
	transpose: transposeVector,
	softmax:   func(x []float32) { softmaxAVX2(&x[0], len(x)) },
	gelu:      func(x []float32) { geluAVX2(&x[0], len(x)) },
	addNorm:   addNormVector,
}

func quantiseVector(q []int16, x []float32, limit float32) float32 {
	top := maxAbsAVX2(&x[0], len(x))
	if top == 0 {
		clear(q)
		return 0
	}
	_ = q[len(x)-1]
	roundAVX2(&q[0], &x[0], len(x), limit/top)
	return top / limit
}

func panelVector(out []float32, ld int, x []int16, xscale []float32, panel string, scale, bias []float32) {
	rows := len(xscale)
	_, _ = out[(rows-1)*ld+panelWidth-1], x[rows*len(panel)/panelWidth-1]
	_, _ = scale[panelWidth-1], bias[panelWidth-1]
	panelAVX2(&out[0], ld, &x[0], &xscale[0], rows, panel, &scale[0], &bias[0])
}

func matmulVector(c []float32, ldc int, a []float32, lda int, b []float32, ldb, rows, k, n int) {
	_, _, _ = c[(rows-1)*ldc+n-1], a[(rows-1)*lda+k-1], b[(k-1)*ldb+n-1]
	matmulAVX2(&c[0], ldc, &a[0], lda, &b[0], ldb, rows, k, n)
}

// transposeVector leaves the last rows, if their number is no multiple of 8, to transpose.
func transposeVector(dst []float32, ld int, src []float32) {
	n := len(src) / headWidth &^ 7
	if n > 0 {
		_ = dst[(headWidth-1)*ld+n-1]
		transposeAVX2(&dst[0], ld, &src[0], n)
	}
	transpose(dst[n:], ld, src[n*headWidth:])
}

func addNormVector(x, y, weight, bias []float32) {
	n := len(x)
	_, _, _ = y[n-1], weight[n-1], bias[n-1]
	addNormAVX2(&x[0], &y[0], &weight[0], &bias[0], n)
}
