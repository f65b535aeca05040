package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// setting is one flag of the model with the names that it goes by elsewhere.
type setting struct {
	flag    *kong.Flag
	command []string // path of the command, empty for the binary's own flags
}

// key is the setting's name in the file: core.api_addr.
func (s setting) key() string {
	return strings.Join(append(slices.Clone(s.command), underscored(s.flag.Name)), ".")
}

// env is the setting's name in the environment: SELVEDGE_CORE_API_ADDR.
func (s setting) env() string {
	parts := append([]string{program}, s.command...)
	return strings.ToUpper(underscored(strings.Join(append(parts, s.flag.Name), "_")))
}

func underscored(s string) string { return strings.ReplaceAll(s, "-", "_") }

// settings lists every setting below node, parents before children, in the
// order of declaration. The flags --help and --config are not settings.
func settings(node *kong.Node, command []string) []setting {
	var all []setting
	for _, flag := range node.Flags {
		if flag.Name != "help" && flag.Name != "config" {
			all = append(all, setting{flag: flag, command: command})
		}
	}
	for _, child := range node.Children {
		if child.Type == kong.CommandNode {
			path := append(slices.Clone(command), underscored(child.Name))
			all = append(all, settings(child, path)...)
		}
	}
	return all
}

// setEnvironmentNames gives every flag its environment name, which follows from
// the command's path. Two flags with one name are a defect of the model.
func setEnvironmentNames(k *kong.Kong) error {
	owner := map[string]string{}
	all := settings(k.Model.Node, nil)
	for _, flag := range k.Model.Flags {
		if flag.Name == "config" {
			all = append(all, setting{flag: flag})
		}
	}
	for _, s := range all {
		env := s.env()
		if before, taken := owner[env]; taken {
			return fmt.Errorf("%s and %s would both be read from %s: rename one", before, s.key(), env)
		}
		owner[env] = s.key()
		s.flag.Tag.Envs = []string{env}
	}
	return nil
}
