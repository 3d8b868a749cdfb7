package parse

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
)

func TestZDump(t *testing.T) {
	for _, f := range strings.Fields(os.Getenv("DUMP")) {
		data, _ := os.ReadFile(f)
		doc, err := Parse(context.Background(), f, data)
		fmt.Printf("==== %s title=%q err=%v meta=%v warn=%v\n", f, doc.Title, err, doc.Meta, doc.Warnings)
		for _, b := range doc.Blocks {
			tx := b.Text
			if len(tx) > 220 {
				tx = tx[:150] + " … " + tx[len(tx)-60:]
			}
			fmt.Printf("%-9s %d %v %q\n", b.Kind, b.Level, b.Lines, tx)
		}
	}
}
