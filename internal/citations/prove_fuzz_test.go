package citations

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

// FuzzProve proves arbitrary statements on arbitrary passages, one excerpt a line; one that
// begins with "- " goes on with the line before the list, one with cells has the first of them
// for its header.
func FuzzProve(f *testing.F) {
	passage := "Tents can be returned within 30 days of delivery.\nWatches cannot be returned after 14 days.\nThese are free:\n- returns in a store\nWhat | Days\nTents | 30"
	for _, statement := range []string{
		"You can return a tent within thirty days of delivery.", "Tents can be returned within ９０ days.", "A day.", "It is.", "",
		"Tents can never be returned.", "Tents can not unless not.", "5 – 5", "$ 4", "half", "half an", "a quarter of an hour", "one and a half",
		"https://evil.example", "1.2.3.4", "31 February 2027 to 4 May", "13 pm, 9 to 5 pm, 25:99", "1,2,3 1.000,00 .5 5.", "4 to", "no later than", "٣٠ يوم", "½ day", "X'", "’s", "|", " | 30 | ",
	} {
		f.Add(statement, passage)
	}
	f.Add("30 to 40", "from 30\nto 40")
	f.Add("Tents | 30", "Tents | 30")
	f.Fuzz(func(t *testing.T, statement, passage string) {
		statement, excerpts := Normal(statement), fuzzedExcerpts(passage)
		held, refused := Read(excerpts).Prove(statement, Language{})
		switch {
		case refused != nil && (len(held) > 0 || !slices.Contains(Reasons, refused.Reason)):
			t.Errorf("refused for %q, and held by %v", refused.Reason, held)
		case refused == nil && (len(held) == 0 || len(held) > maxHolders || held[0] < 0 || held[len(held)-1] >= len(excerpts)):
			t.Errorf("held by %v of %d", held, len(excerpts))
		case !slices.IsSorted(held) || len(slices.Compact(slices.Clone(held))) != len(held):
			t.Errorf("held by %v, which is out of order", held)
		}
		again, refusedAgain := Read(excerpts).Prove(statement, Language{})
		if !slices.Equal(held, again) || !reflect.DeepEqual(refused, refusedAgain) {
			t.Errorf("held by %v, then by %v; refused: %v, then %v", held, again, refused, refusedAgain)
		}
	})
}

func fuzzedExcerpts(passage string) (out []Excerpt) {
	lead, header := "", ""
	for line := range strings.Lines(passage[:min(len(passage), 2000)]) {
		e := Excerpt{Text: Normal(line), Above: "Returns"}
		item, isItem := strings.CutPrefix(e.Text, "- ")
		switch {
		case e.Text == "" || len(out) == 20:
			continue
		case isItem:
			e.Text, e.Lead = item, lead
		case strings.Contains(e.Text, " | "):
			e.Header = header
			if header == "" {
				header = e.Text
			}
		default:
			lead, header = e.Text, ""
		}
		out = append(out, e)
	}
	return out
}
