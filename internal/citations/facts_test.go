package citations

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// String shows a fact as these tests write it.
func (f fact) String() string {
	text := fmt.Sprintf("%v %s", f.kind, f.value)
	switch f.kind {
	case numberFact:
		text = strings.TrimSpace(fmt.Sprintf("%v %v %s", f.kind, f.raw*max(f.times, 1e-9), f.unit))
		if f.unit == "" {
			text = strings.TrimSpace(fmt.Sprintf("%v %v %s", f.kind, f.raw, f.counted))
		}
	case dateFact:
		text = fmt.Sprintf("%v %d-%d-%d", f.kind, f.date[2], f.date[1], f.date[0])
	}
	return text + [...]string{"", " or less", " or more"}[f.bound] + map[bool]string{true: "?"}[f.soft]
}

// Each text, and what it states that can be compared: in one unit, however it is spelled.
func TestFacts(t *testing.T) {
	for text, want := range map[string]string{
		"within 30 days":                              "number 43200 minute or less",
		"at least two weeks":                          "number 20160 minute or more",
		"no later than 48 hours before departure":     "number 2880 minute or more",
		"must not result in fewer than 11 hours":      "number 660 minute or more",
		"ten business days":                           "number 10 workday",
		"a 30-day trial":                              "number 43200 minute",
		"twelve months":                               "number 12 month",
		"one year":                                    "number 12 month",
		"two and a half years":                        "number 30 month",
		"half an hour":                                "number 30 minute",
		"twice a month":                               "number 1 month?",
		"paid monthly":                                "number 1 month?",
		"3–5 working days":                            "number 3 workday; number 5 workday",
		"$1,500.50":                                   "number 1500.5 dollar",
		"A$49 or US$ 49":                              "number 49 aud; number 49 usd",
		"49,90 € more":                                "number 49.9 euro",
		"GBP 20":                                      "number 20 pound",
		"five per cent":                               "number 5 %",
		"one hundred and twenty-five people":          "number 125 peopl",
		"2 million":                                   "number 2e+06",
		"You may reserve up to eight titles":          "number 8 titl or less",
		"1 March 2026":                                "date 2026-3-1",
		"March 1st, 2026":                             "date 2026-3-1",
		"2026-03-01":                                  "date 2026-3-1",
		"from 4 to 22 November":                       "date 0-11-4; date 0-11-22",
		"Meters are read in May":                      "date 0-5-0",
		"You may return 16 items":                     "number 16 item",
		"before 9.30 a.m. or after 5 pm":              "time 570 or less; time 1020 or more",
		"from 9 to 17:30":                             "number 9 or more; time 1050",
		"between noon and 2 p.m.":                     "time 720; time 840",
		"call 0800 555 0199":                          "code 08005550199",
		"form OH-7, version 7.4.2":                    "code oh-7; code 7.4.2",
		"write to care@shop.example":                  "link care@shop.example",
		"see https://shop.example/a?b=c.":             "link https://shop.example/a?b=c",
		"evil.example or http:evil":                   "link evil.example; link http:evil",
		"Ask Mallory or HR.":                          "name mallory; name hr",
		"The PayPal account. You pay with iPhones":    "name paypal; name iphones",
		"First class. Monday is in January 2026.":     "date 2026-1-0",
		"Each of these, e.g. one of them, is a thing": "",
	} {
		found, rest := facts(text)
		var got []string
		for _, f := range found {
			got = append(got, f.String())
		}
		if diff := cmp.Diff(want, strings.Join(got, "; ")); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
		if len(rest) != len(text) {
			t.Errorf("%q: what is left has another length: %q", text, rest)
		}
	}
}
