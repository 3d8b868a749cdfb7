//go:build !amd64

package kb

func bestDotRows() func(out []int32, rows []int8, query []int16) { return dotRowsGo }
