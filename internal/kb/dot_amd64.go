package kb

import "golang.org/x/sys/cpu"

func bestDotRows() func(out []int32, rows []int8, query []int16) {
	if cpu.X86.HasAVX2 {
		return dotRowsFast
	}
	return dotRowsGo
}

// dotRowsFast uses AVX2 where the length allows it.
func dotRowsFast(out []int32, rows []int8, query []int16) {
	if len(out) == 0 || len(query) == 0 || len(query)%32 != 0 {
		dotRowsGo(out, rows, query)
		return
	}
	_ = rows[len(out)*len(query)-1]
	dotRowsAVX2(&out[0], &rows[0], &query[0], len(out), len(query))
}

// dotRowsAVX2 is dotRowsGo for n rows of dim values; dim is a positive multiple of 32.
//
//go:noescape
func dotRowsAVX2(out *int32, rows *int8, query *int16, n, dim int)
