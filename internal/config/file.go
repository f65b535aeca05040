package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/alecthomas/kong"
)

// maxFile bounds a settings file, in bytes: a wrong path must not fill memory.
const maxFile = 1 << 20

// Problems is what is wrong with a settings file, in order of line. Main prints
// each on a line of its own.
type Problems []error

// Error is the first problem, and how many more there are.
func (p Problems) Error() string {
	switch len(p) {
	case 0:
		return "no problem"
	case 1:
		return p[0].Error()
	}
	return fmt.Sprintf("%v (and %d more)", p[0], len(p)-1)
}

// Unwrap gives the problems to errors.Is and errors.As.
func (p Problems) Unwrap() []error { return p }

// File is the path of a settings file. As the type of a kong flag it makes the
// file's settings the ones used where neither flag nor environment says
// otherwise. The zero value reads nothing.
type File string

// BeforeResolve reads the file into the parser. kong calls it.
func (File) BeforeResolve(ctx *kong.Context, trace *kong.Path) error {
	path, ok := ctx.FlagValue(trace.Flag).(File)
	if !ok || path == "" {
		return nil
	}
	values, err := load(ctx.Model, string(path))
	if err != nil {
		return err
	}
	ctx.AddResolver(resolver(values))
	return nil
}

// load reads the settings in the file at path, each checked against the model.
// The error is a Problems.
func load(model *kong.Application, path string) (map[*kong.Flag]any, error) {
	text, err := read(path)
	if err != nil {
		return nil, Problems{err}
	}
	p := parser{file: filepath.Base(path), flags: map[string]*kong.Flag{}, values: map[*kong.Flag]any{}, commands: map[string]bool{}}
	for _, s := range settings(model.Node, nil) {
		p.add(s)
	}
	p.parse(text)
	if len(p.problems) > 0 {
		return nil, p.problems
	}
	return p.values, nil
}

func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("settings file %s can't be read: %w: check --config", path, cause(err))
	}
	defer func() { _ = f.Close() }() // read only: nothing to lose
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("settings file %s can't be read: %w: check --config", path, cause(err))
	}
	if len(text) > maxFile {
		return nil, fmt.Errorf("settings file %s is larger than %d bytes: check --config", path, maxFile)
	}
	return text, nil
}

// cause drops operation and path from a file error: the message names them.
func cause(err error) error {
	if path, ok := errors.AsType[*os.PathError](err); ok {
		return path.Err
	}
	return err
}

// resolver answers the parser from the file, unless the environment speaks: kong
// would let a resolver win over it.
func resolver(values map[*kong.Flag]any) kong.Resolver {
	return kong.ResolverFunc(func(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
		for _, env := range flag.Envs {
			if _, set := os.LookupEnv(env); set {
				return nil, nil
			}
		}
		return values[flag], nil
	})
}
