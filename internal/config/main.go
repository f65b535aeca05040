package config

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"

	"github.com/alecthomas/kong"
)

// Exit statuses of the binary.
const (
	StatusDone   = 0 // the command did what was asked
	StatusFailed = 1 // it did not
	StatusUsage  = 2 // it could not be understood, nothing was tried
)

const program = "selvedge"

// globals are the flags that every command has.
type globals struct {
	Config File `help:"Read settings from this YAML file. Flags and environment win over it; see 'selvedge config print'." placeholder:"FILE"`
}

// Main parses args (without the program's name) into cli, a pointer to a struct of
// kong commands, runs the command and returns the exit status. Commands' Run
// methods may ask for a context.Context (ctx), *IO and *kong.Kong.
// An error is printed as one line on stdio.Stderr.
func Main(ctx context.Context, args []string, stdio IO, cli any, opts ...kong.Option) int {
	exited := false
	opts = append([]kong.Option{
		kong.Name(program),
		kong.Writers(stdio.Stdout, stdio.Stderr),
		kong.Embed(&globals{}),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(&stdio),
		kong.ConfigureHelp(kong.HelpOptions{NoExpandSubcommands: true}),
		kong.PostBuild(setEnvironmentNames),
		// --help and the like ask to exit in the midst of parsing. What is parsed
		// after that is not looked at any more.
		kong.Exit(func(int) { exited = true }),
	}, opts...)
	run, status := parse(args, stdio, cli, opts, &exited)
	if run == nil {
		return status
	}
	if err := run(ctx); err != nil {
		if errors.Is(err, context.Canceled) && ctx.Err() != nil {
			err = errors.New("interrupted")
		}
		complain(stdio.Stderr, err)
		if _, usage := errors.AsType[*usageError](err); usage {
			return StatusUsage
		}
		return StatusFailed
	}
	return StatusDone
}

// runner is what most commands are.
type runner interface {
	Run(ctx context.Context, stdio *IO) error
}

// parse reads args into cli. run is the command that was chosen; nil if there
// is none, and then status is the exit status. What a runner's run keeps is the
// runner: a node that serves for months needs no parser, which is as much
// memory as a thousand idle sockets.
func parse(args []string, stdio IO, cli any, opts []kong.Option, exited *bool) (run func(context.Context) error, status int) {
	parser, err := kong.New(cli, opts...)
	if err != nil {
		complain(stdio.Stderr, err)
		return nil, StatusFailed
	}
	parsed, err := parser.Parse(args)
	switch {
	case *exited:
		return nil, StatusDone
	case err != nil:
		complain(stdio.Stderr, explain(err))
		return nil, StatusUsage
	}
	if node := parsed.Selected(); node != nil && node.Target.CanAddr() {
		if r, ok := reflect.TypeAssert[runner](node.Target.Addr()); ok {
			return func(ctx context.Context) error { return r.Run(ctx, &stdio) }, StatusDone
		}
	}
	return func(context.Context) error { return parsed.Run() }, StatusDone
}

// Usagef is an error of a command's Run that ends the binary with StatusUsage:
// for wrong combinations of flags that the parser can't see.
func Usagef(format string, args ...any) error {
	return &usageError{fmt.Errorf(format, args...)}
}

type usageError struct{ error }

func (e *usageError) Unwrap() error { return e.error }

// explain adds the way out where the parser's own message has none.
func explain(err error) error {
	var parse *kong.ParseError
	if !errors.As(err, &parse) || parse.Context == nil {
		return err
	}
	text := err.Error()
	if strings.HasPrefix(text, "expected ") || strings.HasPrefix(text, "missing ") || strings.HasPrefix(text, "unexpected ") || strings.HasPrefix(text, "unknown flag") {
		command := program
		if node := parse.Context.Selected(); node != nil {
			command = node.FullPath()
		}
		return fmt.Errorf("%w: see %s --help", err, command)
	}
	return err
}

// complain prints err as one line; a Problems as one line each.
func complain(w io.Writer, err error) {
	var many Problems
	if !errors.As(err, &many) {
		many = Problems{err}
	}
	for _, one := range many {
		line := strings.Join(strings.FieldsFunc(one.Error(), func(r rune) bool { return r == '\n' || r == '\r' }), "; ")
		_, _ = fmt.Fprintf(w, "%s: %s\n", program, line)
	}
}
