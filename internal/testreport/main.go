// Command testreport reads `go test -json` from stdin and prints what a person
// wants to see: a line per package, and the output of what failed. It ends with
// status 1 if a test failed or was skipped, a package didn't build, or no test ran.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// event is a line of `go test -json` (go doc test2json), or of a build.
type event struct {
	Action     string
	Package    string
	ImportPath string // in build events
	Test       string
	Output     string
	Elapsed    float64
}

func main() {
	if err := report(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "testreport:", err)
		os.Exit(1)
	}
}

func report(in io.Reader, out io.Writer) error {
	var failed, skipped, passed int
	var names []string
	output := map[[2]string][]string{} // by package and test, until its end is known
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			var e event
			if json.Unmarshal([]byte(line), &e) != nil {
				_, _ = fmt.Fprint(out, line) // the go command speaks for itself
				continue
			}
			id := [2]string{e.Package, e.Test}
			switch e.Action {
			case "output":
				output[id] = append(output[id], e.Output)
			case "build-output":
				_, _ = fmt.Fprint(out, e.Output)
			case "build-fail":
				failed++
				names = append(names, "build "+e.ImportPath)
			case "fail":
				if e.Test == "" { // it may have ended in the midst of tests
					for id, lines := range output {
						if id[0] == e.Package && id[1] != "" {
							_, _ = fmt.Fprint(out, strings.Join(lines, ""))
							delete(output, id)
						}
					}
				}
				_, _ = fmt.Fprint(out, strings.Join(output[id], ""))
				delete(output, id)
				failed++
				names = append(names, strings.TrimSpace("fail "+e.Package+" "+e.Test))
			case "skip":
				if e.Test == "" { // a package without tests
					continue
				}
				_, _ = fmt.Fprint(out, strings.Join(output[id], ""))
				delete(output, id)
				skipped++
				names = append(names, "skip "+e.Package+" "+e.Test)
			case "pass":
				delete(output, id)
				if e.Test == "" {
					_, _ = fmt.Fprintf(out, "ok    %-40s %6.1f s\n", e.Package, e.Elapsed)
				} else {
					passed++
				}
			}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	_, _ = fmt.Fprintf(out, "\n%d passed, %d failed, %d skipped\n", passed, failed, skipped)
	for _, name := range names {
		_, _ = fmt.Fprintln(out, "  "+name)
	}
	switch {
	case failed > 0:
		return errors.New("there are failures")
	case skipped > 0:
		return errors.New("a skipped test counts as a failure")
	case passed == 0:
		return errors.New("no test ran")
	}
	return nil
}
