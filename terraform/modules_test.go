//go:build terraform

package terraform

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

// standIn lets runs in this tree find the stand-in where they look for the provider.
// Terraform itself says by which folders it looks.
func (w *tree) standIn(t *testing.T) {
	t.Helper()
	stub := absolute(t, filepath.Join(*toolsFlag, "stub"))
	const asks = "asks"
	if err := os.Mkdir(filepath.Join(w.root, asks), 0o755); err != nil {
		t.Fatal(err)
	}
	w.write(t, filepath.Join(asks, "main.tf"), "terraform {\n  required_providers {\n    aws = { source = \"hashicorp/aws\" }\n  }\n}\n")
	out := w.run(t, asks, "providers")
	found := regexp.MustCompile(`provider\[([^\]]+)\]`).FindStringSubmatch(out)
	if found == nil {
		t.Fatalf("terraform names no provider:\n%s", out)
	}
	const version = "6.66.0" // the one that the schema is of
	mirror := filepath.Join(w.root, "mirror")
	dir := filepath.Join(mirror, filepath.FromSlash(found[1]), version, runtime.GOOS+"_"+runtime.GOARCH)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(stub, filepath.Join(dir, "terraform-provider-aws_v"+version)); err != nil {
		t.Fatal(err)
	}
	w.write(t, "terraformrc", "disable_checkpoint = true\nprovider_installation {\n  filesystem_mirror {\n    path = \""+mirror+"\"\n  }\n}\n")
}

// modules are the folders with modules that have tests of their own.
func modules(t *testing.T) []string {
	t.Helper()
	var dirs []string
	for _, pattern := range []string{"modules/*/tests", "modules/aws/*/tests"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, dir := range found {
			dirs = append(dirs, filepath.Dir(dir))
		}
	}
	if len(dirs) != 5 {
		t.Fatalf("modules with tests: %v", dirs)
	}
	return dirs
}

// The tests of each module pass, all of them: an interrupted `terraform test` ends
// with status 0, too.
func TestModules(t *testing.T) {
	w := newTree(t)
	w.standIn(t)
	for _, dir := range modules(t) {
		t.Run(strings.TrimPrefix(dir, "modules/"), func(t *testing.T) {
			want := 0
			files, err := filepath.Glob(filepath.Join(dir, "tests", "*.tftest.hcl"))
			if err != nil {
				t.Fatal(err)
			}
			for _, file := range files {
				text, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				want += len(regexp.MustCompile(`(?m)^run "`).FindAllString(string(text), -1))
			}
			w.run(t, dir, "init", "-no-color")
			w.run(t, dir, "validate", "-no-color")
			out := w.run(t, dir, "test", "-no-color")
			if passed := countOf(t, out, `(?m)^Success! (\d+) passed, 0 failed\.\s*$`); passed != want || want == 0 {
				t.Errorf("%d of %d runs passed:\n%s", passed, want, out)
			}
		})
	}
}

func TestFormat(t *testing.T) {
	out, err := exec.Command("terraform", "fmt", "-check", "-recursive", "-no-color", ".").CombinedOutput()
	if err != nil {
		t.Errorf("%v: run 'terraform fmt -recursive terraform':\n%s", err, out)
	}
}

// Where the stand-in takes a provider's place it must not take everything: what the
// schema does not have is refused, and so is a value for what AWS decides.
func TestStandInRefuses(t *testing.T) {
	w := newTree(t)
	w.standIn(t)
	const dir = "wrong"
	if err := os.Mkdir(filepath.Join(w.root, dir), 0o755); err != nil {
		t.Fatal(err)
	}
	const head = "terraform {\n  required_providers {\n    aws = { source = \"hashicorp/aws\" }\n  }\n}\n"
	for _, tt := range []struct{ name, text, want string }{
		{"an unknown attribute", `resource "aws_vpc" "x" { cidr = "10.0.0.0/16" }`, `An argument named "cidr" is not expected here`},
		{"a missing attribute", `resource "aws_ebs_volume" "x" {}`, `The argument "availability_zone" is required`},
		{"a wrong type", `resource "aws_ebs_volume" "x" {
  availability_zone = "us-east-1a"
  size              = "large"
}`, `a number is required`},
		{"a value for what AWS decides", `resource "aws_vpc" "x" { arn = "arn:aws:ec2:::vpc/1" }`, `aws_vpc.arn can't be set`},
		{"an unknown type", `resource "aws_moon" "x" {}`, `does not support resource type`},
		{"an unknown block", `resource "aws_vpc" "x" {
  peering {}
}`, `Blocks of type "peering" are not expected here`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w.write(t, filepath.Join(dir, "main.tf"), head+tt.text+"\n")
			w.run(t, dir, "init", "-no-color")
			out, status, err := w.try(dir, "validate", "-no-color")
			flat := strings.Join(strings.Fields(strings.NewReplacer("│", " ", "╷", " ", "╵", " ").Replace(out)), " ")
			if err != nil || status == 0 || !strings.Contains(flat, tt.want) {
				t.Errorf("status %d, %v, want %q:\n%s", status, err, tt.want, out)
			}
		})
	}
}

// The stand-in has the types that the modules and examples use, and no others.
func TestSchemaIsOfTheTypesInUse(t *testing.T) {
	used := map[string]bool{}
	for _, pattern := range []string{"modules/*/*.tf", "modules/aws/*/*.tf", "examples/*/*.tf"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, found := range regexp.MustCompile(`(?m)^(resource|data) "(aws_\w+)"`).FindAllStringSubmatch(string(text), -1) {
				folder := map[string]string{"resource": "resources", "data": "data"}[found[1]]
				used[filepath.Join("stub/schema", folder, found[2]+".json")] = true
			}
		}
	}
	files, err := filepath.Glob("stub/schema/*/*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if !used[file] {
			t.Errorf("%s is of a type that nobody uses: see stub/README.md", file)
		}
		delete(used, file)
	}
	for file := range used {
		t.Errorf("%s is missing: see stub/README.md", file)
	}
}
