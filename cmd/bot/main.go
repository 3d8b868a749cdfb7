package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
)

// Exit codes. An answer of "I do not know" is an answer: 0.
const (
	exitOK    = 0
	exitError = 1 // also when `check` found an error or `eval` fell below its golden file
	exitUsage = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args[1:], os.Getenv, streams{os.Stdin, os.Stdout, os.Stderr}))
}

// cli is the command line as kong reads it.
type cli struct {
	flags

	Serve   serveCmd   `cmd:"" default:"1" help:"Run the bot until it is told to stop. This is also what bot without a command does."`
	Ask     askCmd     `cmd:"" help:"Answer a question here in the terminal."`
	Search  searchCmd  `cmd:"" help:"Show the passages that a question finds, and why."`
	Check   checkCmd   `cmd:"" help:"Read the configuration and every document, and report what is wrong with them. Changes nothing."`
	Doctor  doctorCmd  `cmd:"" help:"Try out what the bot needs, Slack's tokens and scopes included, and say what to fix."`
	Health  healthCmd  `cmd:"" help:"Ask the bot that runs on the state folder how it is. Exits with 1 unless it is well."`
	Gaps    gapsCmd    `cmd:"" help:"List what people asked and the documents did not answer."`
	Eval    evalCmd    `cmd:"" help:"Measure search and answers with a file of questions."`
	Version versionCmd `cmd:"" help:"Print the version."`
}

// flags are the settings of every command. They override the environment and bot.yaml.
type flags struct {
	Config    string `placeholder:"FILE" help:"Configuration file (bot.yaml, if there is one)."`
	Docs      string `placeholder:"DIR" help:"Documents folder (kb-docs; BOT_DOCS)."`
	State     string `placeholder:"DIR" help:"Folder for the index and other derived files (state; BOT_STATE)."`
	HTTP      string `name:"http" placeholder:"HOST:PORT" help:"Address of the web page and API (127.0.0.1:8080; BOT_HTTP)."`
	PublicURL string `name:"public-url" placeholder:"URL" help:"What source links start with (the web address; BOT_PUBLIC_URL)."`
	LogJSON   bool   `name:"log-json" help:"Log JSON instead of text (BOT_LOG=json)."`
	Verbose   bool   `help:"Log more. Questions appear in the log only then."`
}

// A bot is what every command has at hand.
type bot struct {
	flags flags
	env   func(string) string
	say   *terminal
}

// errFound says that a command did its work, printed what is wrong, and must exit with 1.
var errFound = errors.New("problems were found")

// A usageError says that the command line makes no sense, in a way that kong cannot see.
type usageError struct{ error }

func misused(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// run is the program without its process: it reads a command line, obeys it, and returns
// the exit code.
func run(ctx context.Context, args []string, env func(string) string, std streams) int {
	say := newTerminal(std, env)
	var c cli
	helped := false
	parser := kong.Must(&c,
		kong.Name("bot"),
		kong.Description("A support bot that answers from a folder of policy documents and shows the passage behind every statement."),
		kong.Writers(std.out, std.err),
		kong.Exit(func(int) { helped = true }),
		kong.BindTo(ctx, (*context.Context)(nil)),
	)
	command, err := parser.Parse(args)
	if helped {
		return exitOK
	}
	if err == nil {
		err = command.Run(&bot{c.flags, env, say})
	}
	return exitCode(say, err)
}

// exitCode reports a command's error, if there is one.
func exitCode(say *terminal, err error) int {
	var parse *kong.ParseError
	switch usage := (usageError{}); {
	case err == nil:
		return exitOK
	case errors.As(err, &parse), errors.As(err, &usage):
		say.problem(err)
		say.note("`bot --help` lists the commands, `bot COMMAND --help` their flags.")
		return exitUsage
	case !errors.Is(err, errFound):
		say.problem(err)
	}
	return exitError
}

// config reads the settings.
func (b *bot) config() (config, error) { return loadConfig(b.env, b.flags) }

// The ways to log.
const (
	logText = "text"
	logJSON = "json"
)

// log is the way that a flag asks for; "": none does.
func (f flags) log() string {
	if f.LogJSON {
		return logJSON
	}
	return ""
}

// log is the logger of a command that reports from level up.
func (b *bot) log(cfg config, level slog.Level) *slog.Logger {
	if b.flags.Verbose {
		level = slog.LevelDebug
	}
	options := &slog.HandlerOptions{Level: level}
	if cfg.Log == logJSON {
		return slog.New(slog.NewJSONHandler(b.say.progress, options))
	}
	return slog.New(slog.NewTextHandler(b.say.progress, options))
}

type versionCmd struct{}

// Run prints which program this is.
func (versionCmd) Run(b *bot) error {
	this := thisBuild()
	b.say.line("%s %s %s/%s", strings.TrimSpace("bot "+this.version+" "+this.revision), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return nil
}
