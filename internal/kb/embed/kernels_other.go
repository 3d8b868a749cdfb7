//go:build !amd64

package embed

func fastest() *kernels { return &plain }
