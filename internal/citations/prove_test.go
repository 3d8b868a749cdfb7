package citations

import "testing"

// What a passage about a shop's returns says, as excerpts.
var returnsPolicy = []Excerpt{
	{Text: "You can return most items within 30 days of delivery for a full refund.", Above: "Returns policy"},
	{Text: "In Australia you have 45 days.", Above: "Returns policy"},
	{Text: "Pierced jewellery, including earrings.", Lead: "We cannot take back the items below unless they are faulty:", Above: "Returns policy"},
	{Text: "Original delivery charges are not refunded unless the item was faulty.", Above: "Returns policy"},
	{Text: "Tents | 60 nights | Free", Header: "What | Trial | Label fee", Above: "Returns policy"},
	{Text: "Watches | 14 nights | £2.95", Header: "What | Trial | Label fee", Above: "Returns policy"},
	{Text: "No.", Lead: "Can I return a gift card?", Above: "Returns policy"},
	{Text: "Write to care@shop.example or call Mrs Okonjo.", Above: "Returns policy"},
}

// Each statement, and why it is refused; "" where it is held.
func TestProve(t *testing.T) {
	evidence := Read(returnsPolicy)
	for statement, want := range map[string]Reason{
		"You can return most items within thirty days of delivery.":               "",
		"Most items can be returned within 30 days, and in Australia you have 45": "",
		"In Australia you have 45 days.":                                          "",
		"Earrings cannot be taken back unless they are faulty.":                   "",
		"Tents have a trial of 60 nights.":                                        "",
		"Watches have a label fee of £2.95.":                                      "",
		"No, you cannot return a gift card.":                                      "",
		"Write to care@shop.example.":                                             "",

		"You can return most items within 60 days of delivery.":      WrongNumber,
		"You can return most items within 30 weeks of delivery.":     WrongNumber,
		"You can return most items at least 30 days after delivery.": WrongNumber,
		"In Australia you have 30 days.":                             Stitched,
		"You cannot return most items within 30 days of delivery.":   Negated,
		"Earrings can be taken back.":                                Negated,
		"Yes, you can return a gift card.":                           Negated,
		"Original delivery charges are refunded.":                    Negated,
		"Tents have a trial of 14 nights.":                           Stitched,
		"Write to mallory@evil.example.":                             WrongLink,
		"Call Mrs Mallory.":                                          WrongName,
		"You can return most items until 1 May.":                     WrongDate,
		"You can return most items before 9:00.":                     WrongDate,
		"The shop was founded by two sisters.":                       WrongNumber,
		"Parking is behind the building.":                            Unsupported,
		"See [returns](https://shop.example).":                       Markup,
		"Ask @everyone.":                                             Markup,
	} {
		held, refused := evidence.Prove(statement, Language{})
		switch {
		case want == "" && (refused != nil || len(held) == 0):
			t.Errorf("%q is refused: %v", statement, refused)
		case want != "" && refused == nil:
			t.Errorf("%q is held by %v, want %q", statement, held, want)
		case want != "" && refused.Reason != want:
			t.Errorf("%q is refused for %v, want %q", statement, refused, want)
		}
	}
}
