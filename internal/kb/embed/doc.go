// Package embed turns text into vectors with the built-in model, bge-small-en-v1.5: a BERT
// encoder of 12 layers, 12 heads of 32, width 384, feed-forward width 1536, 30,522 word
// pieces and 512 positions, whose first token's output, scaled to unit length, is the
// embedding. A text flows through the files in this order:
//
//	tokenizer.go   text ─► IDs
//	encoder.go     IDs ─► vector: embedding rows, 12 × (attention, feed-forward), [CLS]
//	kernels.go     the arithmetic, in plain Go; kernels_amd64.s the same for AVX2
//	weights.go     the parameters, checked and cut out of the embedded file
//
// # Numbers
//
// Weights are int8 with one scale for each output (symmetric, never -128). In front of each
// of the four linear maps of a layer every token's activations are quantised anew to int16
// with one scale for the token, so that
//
//	y[t][o] = Σk x[t][k]·w[o][k] · (xscale[t]·wscale[o]) + bias[o]
//
// with the sum in int32. It cannot overflow: |w| ≤ 127 and |x| ≤ limit(K), where
// 127·K·limit(K) < 2³¹, which leaves 32767 for K = 384 and 11008 for K = 1536. Int16 is
// chosen over int8 because VPMADDWD multiplies it as fast as AVX2 multiplies anything,
// without the saturation of VPMADDUBSW, and the loss that remains is that of the weights.
// Everything else – attention, softmax, GELU, LayerNorm – is float32.
//
// The plain Go code is the specification. The assembly does the same IEEE operations in the
// same order for each output, sums in eight lanes included, and neither uses fused
// multiply-add; so the vectors of a text are the same bits on every machine, whichever path
// computed them, alone or in a batch. Tests assert it, and [Model.ID] relies on it. In plain
// Go this takes an explicit float32(a*b) wherever a sum follows a product: the compiler may
// fuse what is not converted.
//
// # The weights file
//
// bge-small-en-v1.5.int8 is written by convert/convert.py, little-endian throughout:
//
//	  0  "BGEint8\n"
//	  8  uint32: version, vocabulary, positions, width, layers, heads, feed-forward width
//	 36  uint32: CRC-32C of vocab.txt, CRC-32C of everything from offset 128 on
//	 44  SHA-256 of the ONNX file it was made from
//	 76  zeros
//	128  float32 vectors: word scales, position scales, LayerNorm weight and bias; for each
//	     layer: scale and bias of the joint query-key-value map, of the attention's output,
//	     of the feed-forward's two maps; weight and bias of its two LayerNorms
//	     int8 matrices: word rows, position rows; for each layer the same four maps
//
// A map from K inputs to N outputs is stored in panels of 16 outputs, each panel as
// [K/2][16][2]: the 32 bytes that belong to two neighbouring inputs are read, widened and
// multiplied together. Matrices are used where the linker put them, as strings: nothing is
// copied, no alignment is assumed, and unused pages are never read. The float vectors, half
// a megabyte, are decoded. 1/√32 of the attention is folded into the query map, the row of
// token type 0 into the positions.
package embed
