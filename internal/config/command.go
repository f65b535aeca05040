package config

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"github.com/alecthomas/kong"
)

// ConfigCommand is `selvedge config`.
type ConfigCommand struct {
	Check CheckCommand `cmd:"" help:"Check a settings file: every problem on one line."`
	Print PrintCommand `cmd:"" help:"Print every setting with its default, its environment name and its meaning."`
}

// CheckCommand is `selvedge config check FILE`.
type CheckCommand struct {
	File string `arg:"" help:"The settings file to check." placeholder:"FILE"`
}

// Help is the command's long help.
func (*CheckCommand) Help() string {
	return "Example:\n\n  $ selvedge config check selvedge.yaml\n  selvedge.yaml: ok, 7 settings\n\n" +
		"Ends with status 1 if a key is unknown or a value can't be used. Nothing is started."
}

// Run checks the file against the settings of all commands.
func (c *CheckCommand) Run(stdio *IO, k *kong.Kong) error {
	values, err := load(k.Model, c.File)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdio.Stdout, "%s: ok, %d settings\n", filepath.Base(c.File), len(values))
	return err
}

// PrintCommand is `selvedge config print`.
type PrintCommand struct{}

// Help is the command's long help.
func (*PrintCommand) Help() string {
	return "Example:\n\n  $ selvedge config print > selvedge.yaml\n  $ selvedge core --config selvedge.yaml\n\n" +
		"What is printed is a settings file: change what you need, and leave out the rest."
}

// Run prints the settings as YAML, grouped by command.
func (*PrintCommand) Run(stdio *IO, k *kong.Kong) error {
	out := bufio.NewWriter(stdio.Stdout)
	write(out, "# Every setting of selvedge, with its default.")
	write(out, "# Flags win over environment, environment over this file, this file over defaults.")
	write(out, "# Settings without a default are commented out.")
	var open []string
	for _, s := range settings(k.Model.Node, nil) {
		if s.flag.Hidden {
			continue
		}
		same := 0
		for same < len(open) && same < len(s.command) && open[same] == s.command[same] {
			same++
		}
		for i := same; i < len(s.command); i++ {
			write(out, "")
			write(out, "%s%s:", indent(i), s.command[i])
		}
		open = s.command
		if err := printSetting(out, s); err != nil {
			return err
		}
	}
	return out.Flush()
}

func printSetting(out io.Writer, s setting) error {
	margin := indent(len(s.command))
	about := strings.TrimSuffix(strings.Join(strings.Fields(s.flag.Help), " "), ".")
	if s.flag.Enum != "" {
		about += " (" + strings.Join(s.flag.EnumSlice(), ", ") + ")"
	}
	write(out, "%s# %s.", margin, about)
	write(out, "%s# Flag --%s, environment %s.", margin, s.flag.Name, s.env())
	value, mark := any(s.flag.Default), ""
	switch {
	case s.flag.IsSlice() && s.flag.HasDefault:
		value = listOf(kong.SplitEscaped(s.flag.Default, s.flag.Tag.Sep), s.flag.Target.Type().Elem())
	case s.flag.IsSlice():
		value, mark = []string{}, "# "
	case s.flag.IsBool():
		value = s.flag.Default == "true"
	case !s.flag.HasDefault:
		mark = "# "
	case isNumber(s.flag.Target.Type()):
		value = json.Number(s.flag.Default) // a number stands without quotes
	}
	text, err := json.Marshal(value) // JSON is YAML
	if err != nil {
		return fmt.Errorf("print %s: %w", s.key(), err)
	}
	write(out, "%s%s%s: %s", margin, mark, underscored(s.flag.Name), text)
	return nil
}

func isNumber(t reflect.Type) bool {
	return t.Kind() >= reflect.Int && t.Kind() <= reflect.Float64 && t != reflect.TypeFor[time.Duration]()
}

// listOf is a list as it is printed, of elements of a type.
func listOf(list []string, of reflect.Type) any {
	if !isNumber(of) {
		return list
	}
	numbers := make([]json.Number, len(list))
	for i, n := range list {
		numbers[i] = json.Number(n)
	}
	return numbers
}

func indent(depth int) string { return strings.Repeat("  ", depth) }

// write prints a line. The writer is buffered: its error shows at Flush.
func write(out io.Writer, format string, args ...any) {
	_, _ = fmt.Fprintf(out, format+"\n", args...)
}
