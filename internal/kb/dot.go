package kb

// dotRows sets out[i] to the inner product of rows[i*len(query):] with query. The sum
// of any row's products must fit an int32: see quantiseQuery.
var dotRows = bestDotRows()

func dotRowsGo(out []int32, rows []int8, query []int16) {
	for i := range out {
		row := rows[i*len(query):][:len(query)]
		var sum int32
		for j, v := range row {
			sum += int32(v) * int32(query[j])
		}
		out[i] = sum
	}
}
