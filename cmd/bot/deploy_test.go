package main

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	compose "github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/qdrant/go-client/qdrant"
)

// The tests in this file and its siblings hold what is in deploy/ against the program that it
// deploys, and where there is a tool that reads such files against that.

const deployDir = "../../deploy"

func deployFile(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(deployDir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// settings are the environment variables that the program reads, as its source names them.
func settings(t testing.TB) (names []string) {
	t.Helper()
	files, err := filepath.Glob("config*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range regexp.MustCompile(`\b(env\(|secret\(env, )"([A-Z_]+)"`).FindAllStringSubmatch(string(text), -1) {
			if names = append(names, found[2]); found[1] != "env(" {
				names = append(names, found[2]+"_FILE")
			}
		}
	}
	if !slices.Contains(names, "BOT_TOKEN_FILE") {
		t.Fatalf("the source names only the settings %q", names)
	}
	return names
}

// Every variable that a file in deploy/ names, comments included, is one that the program
// reads, or Qdrant.
func TestDeployNamesSettings(t *testing.T) {
	known := append(settings(t), "QDRANT_INIT_FILE_PATH")
	ours := regexp.MustCompile(`\b(BOT|SLACK|DISCORD|QDRANT|LLM)_[A-Z]+(_[A-Z]+)*\b`)
	err := filepath.WalkDir(deployDir, func(name string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(name)
		for _, variable := range ours.FindAllString(string(text), -1) {
			if !slices.Contains(known, variable) {
				t.Errorf("%s names %s, which nothing reads", name, variable)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// checkSettings loads the configuration that the bot would have with an environment and the
// bot.yaml beside it. Files of secrets hold sample ones.
func checkSettings(t *testing.T, env map[string]string, configFile string) config {
	t.Helper()
	known := append(settings(t), "GOMEMLIMIT")
	for name := range env {
		if !slices.Contains(known, name) {
			t.Errorf("%s is set, which the bot does not read", name)
		}
		if namesSecret(name) {
			t.Errorf("%s is a secret in the open; give its file as %s_FILE", name, name)
		}
	}
	cfg, err := loadConfig(func(name string) string {
		if secret, isFile := strings.CutSuffix(name, "_FILE"); isFile && env[name] != "" {
			return write(t, secret, sampleSecrets[secret])
		}
		return env[name]
	}, flags{Config: configFile})
	if err != nil {
		t.Error(err)
	}
	return cfg
}

// checkMemory checks that Go collects garbage some time before the kernel kills.
func checkMemory(t *testing.T, env map[string]string, limit int64) {
	t.Helper()
	soft, err := strconv.ParseInt(strings.TrimSuffix(env["GOMEMLIMIT"], "MiB"), 10, 64)
	if err != nil || soft<<20 > limit*9/10 || soft<<20 < limit/2 {
		t.Errorf("Go keeps to GOMEMLIMIT=%s of %d MiB", env["GOMEMLIMIT"], limit>>20)
	}
}

// namesSecret says whether a variable's value is for nobody's eyes.
func namesSecret(name string) bool {
	return regexp.MustCompile(`(TOKEN|SECRET|KEY|PASSWORD)$`).MatchString(name)
}

var sampleSecrets = map[string]string{
	"BOT_TOKEN":       webToken,
	"QDRANT_API_KEY":  "a-long-random-key",
	"SLACK_BOT_TOKEN": "xoxb-1-sample",
	"SLACK_APP_TOKEN": "xapp-1-sample",
	"DISCORD_TOKEN":   "MTMwMTAwMDAwMDAwMDAwMDIwMA.sample.sample",
}

// checkCommand parses a command line without obeying it.
func checkCommand(t *testing.T, args ...string) {
	t.Helper()
	_, err := kong.Must(&cli{}, kong.Exit(func(int) {})).Parse(args)
	if err != nil {
		t.Errorf("bot %s: %v", strings.Join(args, " "), err)
	}
}

var commented = regexp.MustCompile(`(?m)^(\s*)# (.*\b(?i:slack|discord)[_-].*)$`)

// withPlatforms is a file with the lines for Slack and Discord switched on.
func withPlatforms(t *testing.T, text string) string {
	t.Helper()
	on := commented.ReplaceAllString(text, "$1$2")
	if on == text {
		t.Error("there are no lines for chat platforms")
	}
	return on
}

// pinned says whether an image is one that does not change by itself.
func pinned(image string) bool {
	return regexp.MustCompile(`^[a-z0-9/.-]+:v?[0-9]+\.[0-9]+\.[0-9]+(-[a-z0-9]+)*(@sha256:[0-9a-f]{64})?$`).MatchString(image)
}

// checkQdrantImage checks that the client speaks with the Qdrant of an image, which must not
// run as root.
func checkQdrantImage(t *testing.T, image string) {
	t.Helper()
	goMod, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	client := regexp.MustCompile(`github.com/qdrant/go-client v(\S+)`).FindStringSubmatch(string(goMod))
	_, tag, _ := strings.Cut(image, ":v")
	server, _, unprivileged := strings.Cut(tag, "-unprivileged")
	if client == nil || !pinned(image) || !unprivileged || !qdrant.IsCompatible(client[1], server) {
		t.Errorf("%s: the client is %q", image, client)
	}
}

func TestCompose(t *testing.T) {
	text := deployFile(t, "compose.yaml")
	t.Run("as it is", func(t *testing.T) { checkCompose(t, text, nil) })
	t.Run("with chat platforms", func(t *testing.T) { checkCompose(t, withPlatforms(t, text), []string{"Slack", "Discord"}) })
}

func checkCompose(t *testing.T, text string, platforms []string) {
	project := loadCompose(t, text)
	if got := slices.Sorted(maps.Keys(project.Services)); !slices.Equal(got, []string{"bot", "qdrant"}) {
		t.Fatalf("the services are %q", got)
	}
	for _, service := range project.Services {
		checkHardened(t, service)
	}
	bot := project.Services["bot"]
	env := imageOf(t).env
	checkMounts(t, bot, env)
	for name, value := range bot.Environment {
		env[name] = *value
	}
	checkMemory(t, env, int64(bot.MemLimit))
	cfg := checkSettings(t, env, "../../bot.yaml")
	if got := cfg.platforms(); !slices.Equal(got, platforms) {
		t.Errorf("the bot joins %q, not %q", got, platforms)
	}
	for _, port := range bot.Ports {
		if port.HostIP != "127.0.0.1" || !strings.HasSuffix(cfg.HTTP, ":"+fmt.Sprint(port.Target)) {
			t.Errorf("port %s:%s to %d is open, and the bot listens on %s", port.HostIP, port.Published, port.Target, cfg.HTTP)
		}
	}
	checkComposeQdrant(t, project, cfg)
}

// loadCompose also validates against the schema of the Compose specification.
func loadCompose(t *testing.T, text string) *types.Project {
	t.Helper()
	dir, err := filepath.Abs(deployDir)
	if err != nil {
		t.Fatal(err)
	}
	options, err := compose.NewProjectOptions([]string{write(t, "compose.yaml", text)},
		compose.WithWorkingDirectory(dir), compose.WithEnv(nil), compose.WithConsistency(true))
	if err != nil {
		t.Fatal(err)
	}
	project, err := options.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return project
}

func checkHardened(t *testing.T, s types.ServiceConfig) {
	t.Helper()
	for what, ok := range map[string]bool{
		"its root is read-only":                 s.ReadOnly,
		"it has no capability":                  slices.Equal(s.CapDrop, []string{"ALL"}) && len(s.CapAdd) == 0,
		"it gains no privilege":                 slices.Contains(s.SecurityOpt, "no-new-privileges:true") && !s.Privileged,
		"its memory is limited":                 s.MemLimit > 0,
		"its processes are limited":             s.PidsLimit > 0,
		"its log is limited":                    s.Logging != nil && s.Logging.Options["max-size"] != "",
		"it is asked how it is":                 s.HealthCheck != nil && len(s.HealthCheck.Test) > 1,
		"it has 30 s to stop":                   s.StopGracePeriod != nil && time.Duration(*s.StopGracePeriod) >= 30*time.Second,
		"it starts again":                       s.Restart == "unless-stopped",
		"its image is pinned or is built here":  s.Build != nil || pinned(s.Image),
		"what it may write to is not the image": slices.ContainsFunc(s.Tmpfs, func(dir string) bool { return dir == "/tmp" }),
	} {
		if !ok {
			t.Errorf("%s: it is not so that %s", s.Name, what)
		}
	}
	for name, value := range s.Environment {
		secret, isFile := strings.CutPrefix(*value, "/run/secrets/")
		given := slices.ContainsFunc(s.Secrets, func(given types.ServiceSecretConfig) bool { return given.Source == secret })
		if strings.HasSuffix(name, "_FILE") != isFile || isFile && !given {
			t.Errorf("%s: %s names %s, which it is not given", s.Name, name, *value)
		}
	}
}

// checkMounts checks what the bot sees at the places where its image looks.
func checkMounts(t *testing.T, bot types.ServiceConfig, env map[string]string) {
	t.Helper()
	readOnly := map[string]bool{env["BOT_DOCS"]: true, imageOf(t).dir + "/bot.yaml": true, env["BOT_STATE"]: false}
	for _, v := range bot.Volumes {
		want, known := readOnly[v.Target]
		if !known || v.ReadOnly != want {
			t.Errorf("%s is mounted (read-only: %v)", v.Target, v.ReadOnly)
		}
		delete(readOnly, v.Target)
		if v.Type != "bind" {
			continue
		}
		if _, err := os.Stat(v.Source); err != nil {
			t.Error(err)
		}
	}
	if len(readOnly) > 0 {
		t.Errorf("not mounted: %v", readOnly)
	}
	if command := bot.HealthCheck.Test; command[1] == "/bot" {
		checkCommand(t, command[2:]...)
	} else {
		t.Errorf("the health check is %q", command)
	}
}

// checkComposeQdrant checks that the bot reaches Qdrant with its key, and nobody else does.
func checkComposeQdrant(t *testing.T, project *types.Project, cfg config) {
	t.Helper()
	q := project.Services["qdrant"]
	checkQdrantImage(t, q.Image)
	if len(q.Ports) > 0 || cfg.Qdrant.URL != "http://qdrant:6334" || cfg.Qdrant.APIKey == "" {
		t.Errorf("Qdrant has the ports %v, the bot looks for it at %q", q.Ports, cfg.Qdrant.URL)
	}
	for network := range q.Networks {
		if _, shared := project.Services["bot"].Networks[network]; !shared || !bool(project.Networks[network].Internal) {
			t.Errorf("Qdrant is in the network %s, which others are in", network)
		}
	}
	if script := strings.Join(q.Entrypoint, " "); !strings.Contains(script, "/run/secrets/qdrant_api_key") || len(q.Secrets) != 1 {
		t.Errorf("Qdrant starts by %q", script)
	}
}

// The entrypoint hands the key over, and starts nothing without one.
func TestComposeQdrantKey(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	key := filepath.Join(dir, "key")
	script := loadCompose(t, deployFile(t, "compose.yaml")).Services["qdrant"].Entrypoint[2]
	script = strings.NewReplacer("/run/secrets/qdrant_api_key", key, "$$", "$").Replace(script)
	program := "#!/bin/sh\necho \"it has <$QDRANT__SERVICE__API_KEY>\"\n"
	if err := os.WriteFile(filepath.Join(dir, "entrypoint.sh"), []byte(program), 0o755); err != nil {
		t.Fatal(err)
	}
	for content, want := range map[string]string{"": "is empty", "\n": "is empty", "s3cret\n": "it has <s3cret>", "none": "No such file"} {
		_ = os.Remove(key)
		if content != "none" {
			if err := os.WriteFile(key, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		cmd := exec.Command(bash, "-c", script)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if !strings.Contains(string(out), want) || (err == nil) != strings.HasPrefix(want, "it has") {
			t.Errorf("with %q for a key: %v\n%s", content, err, out)
		}
	}
}

// A unit is what a systemd unit file sets, in order.
type unit map[string][]string

func readUnit(text string) unit {
	u := unit{}
	for line := range strings.Lines(text) {
		key, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if ok && !strings.HasPrefix(key, "#") {
			u[key] = append(u[key], value)
		}
	}
	return u
}

// dropIn are the lines that the unit's head offers for a drop-in.
func dropIn(text string) string {
	var lines []string
	for _, found := range regexp.MustCompile(`(?m)^#   ((?:LoadCredential|Environment)=.*)$`).FindAllStringSubmatch(text, -1) {
		lines = append(lines, found[1])
	}
	return strings.Join(lines, "\n") + "\n"
}

func TestService(t *testing.T) {
	text := deployFile(t, "citebot.service")
	t.Run("as it is", func(t *testing.T) { checkService(t, text, nil) })
	withSlack := strings.Replace(text, "[Install]", dropIn(text)+"[Install]", 1)
	t.Run("with the drop-in", func(t *testing.T) { checkService(t, withSlack, []string{"Slack"}) })
}

func checkService(t *testing.T, text string, platforms []string) {
	u := readUnit(text)
	command := strings.Fields(u["ExecStart"][0])
	checkCommand(t, command[1:]...)
	if stop, err := strconv.Atoi(u["TimeoutStopSec"][0]); err != nil || time.Duration(stop)*time.Second < stopWithin {
		t.Errorf("it is killed after %q seconds", u["TimeoutStopSec"])
	}
	env := map[string]string{}
	for _, pair := range strings.Fields(strings.Join(u["Environment"], " ")) {
		name, value, _ := strings.Cut(pair, "=")
		env[name] = strings.ReplaceAll(value, "%S", "/var/lib")
	}
	for name, value := range env {
		credential, isFile := strings.CutPrefix(value, "%d/")
		given := slices.ContainsFunc(u["LoadCredential"], func(l string) bool { return strings.HasPrefix(l, credential+":") })
		if strings.HasSuffix(name, "_FILE") != isFile || isFile && !given {
			t.Errorf("%s names %s, which it is not given", name, value)
		}
	}
	limit, err := strconv.ParseInt(strings.TrimSuffix(u["MemoryMax"][0], "M"), 10, 64)
	if err != nil {
		t.Error(err)
	}
	checkMemory(t, env, limit<<20)
	cfg := checkSettings(t, env, "../../bot.yaml")
	if got := cfg.platforms(); !slices.Equal(got, platforms) {
		t.Errorf("the bot joins %q, not %q", got, platforms)
	}
	if state := "/var/lib/" + u["StateDirectory"][0]; cfg.State != state || u["WorkingDirectory"][0] != "/etc/"+u["ConfigurationDirectory"][0] {
		t.Errorf("it writes to %s, of which %s is writable", cfg.State, state)
	}
	analyze(t, text, command[0])
}

// Exposure, in tenths, above which `systemd-analyze security` fails the unit. What is left
// comes from what the bot is for: the network, and documents anywhere on the host.
const exposure = "15"

func analyze(t *testing.T, text, program string) {
	t.Helper()
	tool, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("only the unit's settings were checked:", err)
	}
	file := filepath.Join(t.TempDir(), "citebot.service")
	text = strings.ReplaceAll(text, "ExecStart="+program, "ExecStart=/bin/true") // which is there
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"verify", "--man=no"}, {"security", "--offline=true", "--threshold=" + exposure}} {
		out, err := exec.Command(tool, append(args, file)...).CombinedOutput()
		if err != nil || args[0] == "verify" && len(out) > 0 {
			t.Errorf("systemd-analyze %s: %v\n%s", cmp.Or(args...), err, out)
		}
	}
}
