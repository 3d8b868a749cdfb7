package main

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestImage builds the program as the image does, lays out what the image holds, and asks it
// something in there: as its user, with documents that it may only read.
func TestImage(t *testing.T) {
	t.Parallel()
	im := imageOf(t)
	program := filepath.Join(t.TempDir(), "bot")
	if out, err := exec.Command("make", "-C", "../..", "build", "OUT="+program).CombinedOutput(); err != nil {
		t.Fatalf("make build: %v\n%s", err, out)
	}
	checkStatic(t, program)
	if os.Getuid() != 0 {
		t.Skip("only root can lay out the image and start the bot in it")
	}
	c := &container{T: t, image: im, root: t.TempDir()}
	c.layOut(program)
	before := c.files()

	if code, out := c.run("serve"); code != exitError || !strings.Contains(out, "BOT_TOKEN") {
		t.Errorf("without a token, on all addresses: exit code %d\n%s", code, out)
	}
	c.env["BOT_TOKEN_FILE"] = "/run/secrets/bot_token"
	c.serve()
	if code, out := c.run("ask", askReturn); code != exitOK || !strings.Contains(out, saysReturn) || !strings.Contains(out, "[1]") {
		t.Errorf("exit code %d\n%s", code, out)
	}
	c.stop()
	if diff := cmp.Diff(before, c.files()); diff != "" {
		t.Errorf("the bot wrote elsewhere than into its state folder:\n%s", diff)
	}
}

func checkStatic(t *testing.T, program string) {
	t.Helper()
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	for _, setting := range info.Settings {
		if setting.Key == "CGO_ENABLED" && setting.Value != "0" || setting.Key == "-trimpath" && setting.Value != "true" {
			t.Errorf("built with %s=%s", setting.Key, setting.Value)
		}
	}
	f, err := elf.Open(program)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
			t.Errorf("the program has a segment %v: it is not static", p.Type)
		}
	}
}

// A container is an image that is laid out in a folder.
type container struct {
	*testing.T
	image
	root string
	bot  *exec.Cmd
	log  bytes.Buffer
}

func (c *container) must(err error) {
	c.Helper()
	if err != nil {
		c.Fatal(err)
	}
}

// layOut puts in place what the final stage copies, and what a runtime mounts: documents, and
// the file of a secret.
func (c *container) layOut(program string) {
	c.Helper()
	for _, in := range c.final {
		if in.name == "COPY" {
			c.copy(strings.Fields(in.args), program)
		}
	}
	c.write(0o644, c.env["BOT_DOCS"]+"/returns.md", deployFile(c, "kubernetes/docs/returns.md"))
	c.write(0o444, "/run/secrets/bot_token", webToken+"\n")
	c.must(os.MkdirAll(filepath.Join(c.root, c.dir), 0o755))
	c.env["BOT_HTTP"] = strings.Replace(c.env["BOT_HTTP"], ":8080", ":0", 1) // a port that is free
}

// copy obeys COPY --from=build [--chown=…] SOURCE… TARGET.
func (c *container) copy(args []string, program string) {
	c.Helper()
	owned := false
	for strings.HasPrefix(args[0], "--") {
		owned = owned || args[0] == fmt.Sprintf("--chown=%d:%d", c.uid, c.gid)
		args = args[1:]
	}
	for _, source := range args[:len(args)-1] {
		c.copyOne(source, args[len(args)-1], program, owned)
	}
}

func (c *container) copyOne(source, target, program string, owned bool) {
	c.Helper()
	inside := filepath.Join(c.root, target)
	switch {
	case source == "/empty":
		c.must(os.MkdirAll(inside, 0o755))
		if owned {
			c.must(os.Chown(inside, c.uid, c.gid))
		}
	case source == "/src/bot":
		text, err := os.ReadFile(program)
		c.must(err)
		c.write(0o755, target, string(text))
	case strings.HasPrefix(source, "/src/"):
		text, err := os.ReadFile(filepath.Join("../..", strings.TrimPrefix(source, "/src/")))
		c.must(err)
		c.write(0o644, filepath.Join(target, filepath.Base(source)), string(text))
	case strings.HasPrefix(source, "/etc/ssl/"):
		c.write(0o644, target, "") // the build image's
	default:
		c.Errorf("nothing is known of %s", source)
	}
}

func (c *container) write(mode fs.FileMode, name, text string) {
	c.Helper()
	name = filepath.Join(c.root, name)
	c.must(os.MkdirAll(filepath.Dir(name), 0o755))
	c.must(os.WriteFile(name, []byte(text), mode))
}

// files are all that is in the container but in its folders for state.
func (c *container) files() (names []string) {
	c.Helper()
	c.must(filepath.WalkDir(c.root, func(name string, d fs.DirEntry, err error) error {
		name = strings.TrimPrefix(name, c.root)
		if name == c.env["BOT_STATE"] || name == "/tmp" {
			return fs.SkipDir
		}
		names = append(names, name)
		return err
	}))
	return names
}

// process prepares a process of the image's user that sees the container alone.
func (c *container) process(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, c.entrypoint[0], args...)
	cmd.Dir = c.dir
	cmd.Env = []string{}
	for name, value := range c.env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: c.root, Credential: &syscall.Credential{Uid: uint32(c.uid), Gid: uint32(c.gid)}}
	return cmd
}

func (c *container) run(args ...string) (code int, out string) {
	c.Helper()
	ctx, cancel := context.WithTimeout(c.Context(), readyWithin)
	defer cancel()
	cmd := c.process(ctx, args...)
	text, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		c.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(text)
}

// serve starts the container's own command, and waits until its health check with --ready is
// content.
func (c *container) serve() {
	c.Helper()
	c.bot = c.process(context.Background(), c.command...)
	c.bot.Stdout, c.bot.Stderr = &c.log, &c.log
	c.must(c.bot.Start())
	c.Cleanup(c.kill)
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for deadline := time.Now().Add(readyWithin); ; <-tick.C {
		code, out := c.run(append(c.health[1:], "--ready")...)
		if code == exitOK {
			return
		}
		if time.Now().After(deadline) {
			c.kill()
			c.Fatalf("the bot is not ready: %s\n%s", out, &c.log)
		}
	}
}

// kill ends what has not ended by itself.
func (c *container) kill() {
	if c.bot.ProcessState == nil {
		_ = c.bot.Process.Kill()
		_ = c.bot.Wait()
	}
}

func (c *container) stop() {
	c.Helper()
	c.must(c.bot.Process.Signal(syscall.SIGTERM))
	if err := c.bot.Wait(); err != nil {
		c.Errorf("the bot stopped with %v\n%s", err, &c.log)
	}
}
