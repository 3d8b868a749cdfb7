package qdranttest

import (
	"math"
	"slices"

	"github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// fits refuses a vector of another length than the collection's. One that is not finite is
// taken, as by Qdrant: then no query finds its point.
func (s *Server) fits(method string, c *collection, v []float32) error {
	if slices.ContainsFunc(v, func(x float32) bool { return math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) }) {
		s.complain("%s: a vector that is not finite", method)
	}
	if want := c.params.GetSize(); uint64(len(v)) != want {
		s.complain("%s: a vector of %d numbers, where the collection has %d", method, len(v), want)
		return status.Errorf(codes.InvalidArgument, "Wrong input: Vector dimension error: expected dim: %d, got %d", want, len(v))
	}
	return nil
}

// normal is a vector as the collection stores it: with length 1 where the distance is cosine.
// One that has it already, and one of next to nothing, stays as it is.
func (c *collection) normal(v []float32) []float32 {
	if c.params.GetDistance() != qdrant.Distance_Cosine {
		return v
	}
	square := dot(v, v)
	if square < epsilon || math.Abs(float64(square)-1) <= 1e-6 {
		return v
	}
	length := float32(math.Sqrt(float64(square)))
	unit := make([]float32, len(v))
	for i, x := range v {
		unit[i] = x / length
	}
	return unit
}

// epsilon is the distance from 1 to the next float32.
const epsilon = 1.0 / (1 << 23)

func dot(a, b []float32) float32 {
	var sum float32
	for i, x := range a {
		sum += x * b[i]
	}
	return sum
}

// A quantiser makes bytes of numbers, and back, as scalar quantisation does: 127 equal steps
// from the least number to the greatest. It takes all of them for its range, where Qdrant
// leaves out those beyond the quantile.
// https://qdrant.tech/documentation/guides/quantization/#scalar-quantization
type quantiser struct{ least, step float32 }

func (c *collection) quantiser() quantiser {
	least, most := float32(math.Inf(1)), float32(math.Inf(-1))
	for _, p := range c.points {
		least, most = min(least, slices.Min(p.vector)), max(most, slices.Max(p.vector))
	}
	return quantiser{least, (most - least) / 127}
}

// round is v after it was a byte a number.
func (q quantiser) round(v []float32) []float32 {
	if q.step <= 0 {
		return v
	}
	rounded := make([]float32, len(v))
	for i, x := range v {
		n := math.RoundToEven(float64((x - q.least) / q.step))
		rounded[i] = q.least + q.step*float32(min(max(n, 0), 127))
	}
	return rounded
}
