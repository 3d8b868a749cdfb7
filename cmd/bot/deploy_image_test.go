package main

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// An image is what deploy/Dockerfile makes, as far as it can be read from it.
type image struct {
	build      []instruction // of the first stage
	final      []instruction // of the second
	env        map[string]string
	dir        string // where the program starts
	uid, gid   int
	entrypoint []string
	command    []string
	health     []string
}

type instruction struct{ name, args string }

// readDockerfile splits into instructions. It knows no heredocs and no other escape character.
func readDockerfile(text string) (all []instruction) {
	text = regexp.MustCompile(`(?m)^\s*#.*\n`).ReplaceAllString(text, "")
	text = strings.ReplaceAll(text, "\\\n", " ")
	for line := range strings.Lines(text) {
		name, args, _ := strings.Cut(strings.TrimSpace(line), " ")
		if name != "" {
			all = append(all, instruction{strings.ToUpper(name), strings.TrimSpace(args)})
		}
	}
	return all
}

func imageOf(t testing.TB) image {
	t.Helper()
	im := image{env: map[string]string{}}
	stages := 0
	for _, in := range readDockerfile(deployFile(t, "Dockerfile")) {
		if in.name == "FROM" {
			stages++
		}
		if stages == 1 {
			im.build = append(im.build, in)
			continue
		}
		im.final = append(im.final, in)
		im.set(t, in)
	}
	if stages != 2 {
		t.Fatalf("the Dockerfile has %d stages, not 2", stages)
	}
	return im
}

func (im *image) set(t testing.TB, in instruction) {
	switch in.name {
	case "ENV":
		for _, pair := range strings.Fields(in.args) {
			name, value, _ := strings.Cut(pair, "=")
			im.env[name] = value
		}
	case "WORKDIR":
		im.dir = in.args
	case "USER":
		if _, err := fmt.Sscanf(in.args, "%d:%d", &im.uid, &im.gid); err != nil {
			t.Errorf("USER %s is not two numbers", in.args)
		}
	case "ENTRYPOINT":
		im.entrypoint = execForm(in.args)
	case "CMD":
		im.command = execForm(in.args)
	case "HEALTHCHECK":
		_, command, _ := strings.Cut(in.args, "CMD ")
		im.health = execForm(command)
	}
}

// execForm reads the form of a command that needs no shell.
func execForm(json string) (out []string) {
	for _, quoted := range regexp.MustCompile(`"[^"]*"`).FindAllString(json, -1) {
		word, _ := strconv.Unquote(quoted)
		out = append(out, word)
	}
	return out
}

func TestDockerfile(t *testing.T) {
	im := imageOf(t)
	for _, in := range slices.Concat(im.build, im.final) {
		checkInstruction(t, in)
	}
	if !slices.Contains(im.build, instruction{"RUN", "make build"}) {
		t.Error("it does not build with `make build`")
	}
	if i := slices.IndexFunc(im.final, func(in instruction) bool { return in.name == "RUN" }); i >= 0 {
		t.Errorf("there is no shell for RUN %s", im.final[i].args)
	}
	if im.uid == 0 || im.gid == 0 {
		t.Error("it runs as root")
	}
	checkCommand(t, im.command...)
	if program := im.entrypoint; len(program) != 1 || len(im.health) < 2 || im.health[0] != program[0] {
		t.Fatalf("%q is started, and %q tells how it is", program, im.health)
	}
	checkCommand(t, im.health[1:]...)
	goMod, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	version := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(string(goMod))[1]
	if from := im.build[0].args; !strings.HasPrefix(from, "golang:"+version+".") {
		t.Errorf("FROM %s, where go.mod has Go %s", from, version)
	}
}

func checkInstruction(t *testing.T, in instruction) {
	t.Helper()
	switch in.name {
	case "FROM":
		if from := strings.Fields(in.args)[0]; from != "scratch" && !pinned(from) {
			t.Errorf("FROM %s changes by itself", from)
		}
	case "ADD":
		t.Errorf("ADD %s: COPY does not fetch or unpack", in.args)
	case "RUN":
		if strings.Contains(in.args, "go build") {
			t.Errorf("RUN %s is not the Makefile's build", in.args)
		}
	case "ENV", "ARG":
		for _, pair := range strings.Fields(in.args) {
			if name, _, _ := strings.Cut(pair, "="); namesSecret(name) {
				t.Errorf("%s %s stays in the image for everyone to see", in.name, name)
			}
		}
	}
}

// Whatever git does not know must not get into the image's build, and the rest must, or the
// revision that is recorded there is called modified.
func TestDockerignore(t *testing.T) {
	var want []string
	for file, folder := range map[string]string{"../../.gitignore": "", deployDir + "/.gitignore": "/deploy"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, pattern := range strings.Fields(string(text)) {
			if !strings.HasPrefix(pattern, "/") {
				pattern = "/**/" + pattern
			}
			want = append(want, strings.TrimPrefix(folder+pattern, "/"))
		}
	}
	text, err := os.ReadFile("../../.dockerignore")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			got = append(got, strings.TrimPrefix(line, "/"))
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf(".gitignore (-) and .dockerignore (+) differ:\n%s", diff)
	}
}
