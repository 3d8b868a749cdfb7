package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"citebot/internal/chat/web"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/yaml"
)

// An alert is what we use of a rule in alerts.yaml; whatever else is in it is an error.
type alert struct {
	Alert       string `json:"alert"`
	Expr        string `json:"expr"`
	For         string `json:"for"`
	Labels      struct{ Severity string }
	Annotations struct{ Summary, Description string }
}

func alerts(t testing.TB) (all []alert) {
	t.Helper()
	var file struct {
		Groups []struct {
			Name  string
			Rules []alert
		}
	}
	if err := yaml.UnmarshalStrict([]byte(deployFile(t, "alerts.yaml")), &file); err != nil {
		t.Fatal(err)
	}
	for _, group := range file.Groups {
		all = append(all, group.Rules...)
	}
	if len(all) == 0 {
		t.Fatal("there are no alerts")
	}
	return all
}

// Each alert tells what to do, and there is a case in which it fires.
func TestAlerts(t *testing.T) {
	cases, err := os.ReadFile("testdata/deploy/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, a := range alerts(t) {
		if a.Expr == "" || a.Annotations.Summary == "" || len(a.Annotations.Description) < 60 || !strings.HasSuffix(a.Annotations.Description, ".") {
			t.Errorf("%s says %+v", a.Alert, a.Annotations)
		}
		if !slices.Contains([]string{"critical", "warning", "info"}, a.Labels.Severity) {
			t.Errorf("%s is of severity %q", a.Alert, a.Labels.Severity)
		}
		if seen[a.Alert] || !strings.Contains(string(cases), `{alertname="`+a.Alert+`"}`) {
			t.Errorf("%s is there twice, or in no case of testdata/deploy/alerts.yaml", a.Alert)
		}
		seen[a.Alert] = true
	}
	promtool(t, "check", "rules", deployDir+"/alerts.yaml")
	promtool(t, "test", "rules", "testdata/deploy/alerts.yaml")
}

// promtool runs Prometheus' own tool where there is one.
func promtool(t *testing.T, args ...string) {
	t.Helper()
	tool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("what Prometheus makes of it was not tried:", err)
	}
	if out, err := exec.Command(tool, args...).CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// A dashboard is what the tests look at in grafana.json.
type dashboard struct {
	Title         string
	SchemaVersion int
	Templating    struct {
		List []struct {
			Name, Type string
			Datasource datasource
		}
	}
	Panels []panel
}

type panel struct {
	ID                       int
	Type, Title, Description string
	Datasource               datasource
	GridPos                  struct{ X, Y, W, H int }
	Targets                  []struct {
		RefID, Expr, LegendFormat string
		Datasource                datasource
	}
}

type datasource struct{ Type, UID string }

// chosen is the data source that people choose above the dashboard.
var chosen = datasource{"prometheus", "${datasource}"}

func readDashboard(t testing.TB) (d dashboard) {
	t.Helper()
	if err := json.Unmarshal([]byte(deployFile(t, "grafana.json")), &d); err != nil {
		t.Fatal(err)
	}
	if len(d.Panels) == 0 {
		t.Fatal("the dashboard has no panels")
	}
	return d
}

func TestDashboard(t *testing.T) {
	d := readDashboard(t)
	ids, titles := map[int]bool{}, map[string]bool{}
	for i, p := range d.Panels {
		if ids[p.ID] || titles[p.Title] || p.ID == 0 || p.Title == "" {
			t.Errorf("panel %d, %q, is there twice", p.ID, p.Title)
		}
		ids[p.ID], titles[p.Title] = true, true
		for _, q := range d.Panels[:i] {
			a, b := p.GridPos, q.GridPos
			if a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H {
				t.Errorf("%q lies over %q", p.Title, q.Title)
			}
		}
		if p.Type != "row" {
			checkPanel(t, p)
		}
	}
	variables := map[string]string{}
	for _, v := range d.Templating.List {
		if variables[v.Name] = v.Type; v.Type == "query" && v.Datasource != chosen {
			t.Errorf("$%s is not of the data source that is chosen", v.Name)
		}
	}
	if variables["datasource"] != "datasource" || variables["job"] != "query" || variables["instance"] != "query" {
		t.Errorf("its variables are %v", variables)
	}
	checkQueries(t, d)
}

func checkPanel(t *testing.T, p panel) {
	t.Helper()
	if p.Datasource != chosen || p.Description == "" || len(p.Targets) == 0 {
		t.Errorf("%q is not of the data source that is chosen, says not what it shows, or shows nothing", p.Title)
	}
	refs := map[string]bool{}
	for _, target := range p.Targets {
		if target.Datasource != chosen || refs[target.RefID] {
			t.Errorf("%q: query %s is not of the data source that is chosen, or there twice", p.Title, target.RefID)
		}
		refs[target.RefID] = true
		for _, selector := range selectors(target.Expr) {
			if !strings.Contains(selector.matchers, `job=~"$job",instance=~"$instance"`) {
				t.Errorf("%q: %s does not look at the instances that are chosen", p.Title, selector.name)
			}
		}
	}
}

// checkQueries has Prometheus' own tool read them, as rules that record.
func checkQueries(t *testing.T, d dashboard) {
	t.Helper()
	type rule struct {
		Record string `json:"record"`
		Expr   string `json:"expr"`
	}
	var rules []rule
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			rules = append(rules, rule{"dashboard:" + strings.ToLower(target.RefID), strings.ReplaceAll(target.Expr, "$__rate_interval", "5m")})
		}
	}
	text, err := yaml.Marshal(map[string]any{"groups": []any{map[string]any{"name": "dashboard", "rules": rules}}})
	if err != nil {
		t.Fatal(err)
	}
	promtool(t, "check", "rules", "--lint=none", write(t, "rules.yaml", string(text)))
}

// A selector is one of an expression, such as up{job="citebot"}.
type selector struct{ name, matchers string }

var metricName = regexp.MustCompile(`\b((?:citebot|go|process)_[a-z0-9_]+)(?:\{([^}]*)\})?`)

func selectors(expr string) (all []selector) {
	for _, found := range metricName.FindAllStringSubmatch(expr, -1) {
		all = append(all, selector{found[1], found[2]})
	}
	return all
}

// Every metric and label that alerts and dashboard name is one of the program's, and the
// values that they ask for are ones that it gives.
func TestMetricNames(t *testing.T) {
	t.Parallel()
	c := programMetrics(t)
	for _, a := range alerts(t) {
		c.check(t, a.Alert, a.Expr, a.Annotations.Summary+a.Annotations.Description)
	}
	for _, p := range readDashboard(t).Panels {
		for _, target := range p.Targets {
			c.check(t, p.Title, target.Expr, target.LegendFormat)
		}
	}
}

// A catalogue is what the program measures: the labels of each metric, and their values in
// the series that are there from the start.
type catalogue struct {
	labels map[string][]string
	values map[string]map[string][]string
}

// programMetrics asks the registry of a bot with all that it may have, and holds against it
// what such a bot's /metrics show.
func programMetrics(t *testing.T) catalogue {
	t.Helper()
	registry := fullRegistry(t)
	c := catalogue{labelsIn(registry), valuesIn(t, registry)}
	c.checkServed(t)
	return c
}

// described is how a description prints, which is all that the library shows of one.
var described = regexp.MustCompile(`fqName: "(\w+)".*constLabels: {(.*)}, variableLabels: {(.*)}}$`)

func labelsIn(registry *prometheus.Registry) map[string][]string {
	descs := make(chan *prometheus.Desc)
	go func() {
		defer close(descs)
		registry.Describe(descs)
	}()
	labels := map[string][]string{}
	for d := range descs {
		found := described.FindStringSubmatch(d.String())
		names := strings.FieldsFunc(found[3], func(r rune) bool { return r == ',' })
		for _, constant := range matcher.FindAllStringSubmatch(found[2], -1) {
			names = append(names, constant[1])
		}
		labels[found[1]] = names
	}
	return labels
}

func valuesIn(t *testing.T, registry *prometheus.Registry) map[string]map[string][]string {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]map[string][]string{}
	for _, family := range families {
		values := map[string][]string{}
		for _, series := range family.GetMetric() {
			for _, label := range series.GetLabel() {
				values[label.GetName()] = append(values[label.GetName()], label.GetValue())
			}
		}
		all[family.GetName()] = values
	}
	return all
}

// fullRegistry is that of a bot in this process that is on every platform and has a Qdrant. It
// calls nobody, for it does not run.
func fullRegistry(t *testing.T) *prometheus.Registry {
	t.Helper()
	h := newHouse(t, houseConfig)
	env := environment(
		"BOT_DOCS", filepath.Join(h.dir, "docs"), "BOT_STATE", h.state(), "QDRANT_URL", "http://127.0.0.1:1",
		"SLACK_BOT_TOKEN", sampleSecrets["SLACK_BOT_TOKEN"], "SLACK_APP_TOKEN", sampleSecrets["SLACK_APP_TOKEN"],
		"DISCORD_TOKEN", sampleSecrets["DISCORD_TOKEN"],
	)
	cfg, err := loadConfig(env, flags{Config: filepath.Join(h.dir, "bot.yaml")})
	h.must(err)
	log := slog.New(slog.DiscardHandler)
	p, err := openPipeline(context.Background(), cfg, log)
	h.must(err)
	talk, err := openTalk(context.Background(), cfg, p, log)
	h.must(err)
	t.Cleanup(func() { h.must(errors.Join(talk.Close(), p.Close())) })
	_, err = web.New(p.site(cfg, "127.0.0.1:8080", talk, log))
	h.must(err)
	h.must(p.observed.watch(p, talk))
	return p.observed.registry
}

// checkServed checks that a bot that runs serves what one in this process has.
func (c catalogue) checkServed(t *testing.T) {
	t.Helper()
	h := newHouse(t, houseConfig+inSlack+inDiscord)
	h.joinSlack()
	h.joinDiscord()
	h.env = append(h.env, "QDRANT_URL=http://127.0.0.1:1")
	bot := h.launch()
	h.until("the bot to listen", func() bool {
		status, _ := bot.get("/livez")
		return status != 0
	})
	_, page := bot.get("/metrics")
	for name := range c.values {
		if !strings.Contains("\n"+page, "\n# TYPE "+name+" ") {
			t.Errorf("/metrics does not show %s", name)
		}
	}
}

// base is the metric that a series of a name belongs to, "" if there is none.
func (c catalogue) base(series string) string {
	for _, suffix := range []string{"", "_bucket", "_sum", "_count"} {
		name, ok := strings.CutSuffix(series, suffix)
		if _, known := c.labels[name]; ok && known {
			return name
		}
	}
	return ""
}

var (
	matcher     = regexp.MustCompile(`(\w+)(?:=~|!~|!=|=)"([^"]*)"`)
	grouping    = regexp.MustCompile(`\b(?:by|on|without|ignoring) \(([^)]*)\)`)
	newLabel    = regexp.MustCompile(`, "(\w+)", "\w+", "", ""\)`) // of label_replace
	shownLabels = regexp.MustCompile(`{{ ?(?:\$labels\.)?(\w+)`)
)

// check checks an expression, and the words that show what it finds.
func (c catalogue) check(t *testing.T, where, expr, words string) {
	t.Helper()
	known := []string{"job", "instance", "le"} // Prometheus' own
	for _, found := range newLabel.FindAllStringSubmatch(expr, -1) {
		known = append(known, found[1])
	}
	for _, s := range selectors(expr) {
		name := c.base(s.name)
		if name == "" {
			t.Errorf("%s: there is no metric %s", where, s.name)
		}
		known = append(known, c.labels[name]...)
		c.checkMatchers(t, where, name, s.matchers)
	}
	var named []string
	for _, found := range grouping.FindAllStringSubmatch(expr, -1) {
		named = append(named, strings.Split(found[1], ", ")...)
	}
	for _, found := range shownLabels.FindAllStringSubmatch(words, -1) {
		named = append(named, found[1])
	}
	for _, label := range named {
		if !slices.Contains(known, label) {
			t.Errorf("%s: nothing in it has a label %s", where, label)
		}
	}
}

func (c catalogue) checkMatchers(t *testing.T, where, name, matchers string) {
	t.Helper()
	for _, found := range matcher.FindAllStringSubmatch(matchers, -1) {
		label, wanted := found[1], found[2]
		if label == "job" || label == "instance" {
			continue
		}
		if !slices.Contains(c.labels[name], label) {
			t.Errorf("%s: %s has no label %s", where, name, label)
		}
		for value := range strings.SplitSeq(wanted, "|") {
			if given := c.values[name][label]; len(given) > 0 && !slices.Contains(given, value) {
				t.Errorf("%s: %s of %s is never %q", where, label, name, value)
			}
		}
	}
}
