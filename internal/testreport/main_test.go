package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReport(t *testing.T) {
	const pass = `{"Action":"pass","Package":"p","Test":"TestA"}` + "\n"
	tests := []struct {
		name, in, out, err string
	}{
		{
			name: "all pass",
			in:   `{"Action":"output","Package":"p","Test":"TestA","Output":"noise\n"}` + "\n" + pass + `{"Action":"pass","Package":"p","Elapsed":1.25}` + "\n",
			out:  "ok    p                                           1.2 s\n\n1 passed, 0 failed, 0 skipped\n",
		},
		{
			name: "a skip fails",
			in:   pass + `{"Action":"output","Package":"p","Test":"TestB","Output":"    b_test.go:7: no docker\n"}` + "\n" + `{"Action":"skip","Package":"p","Test":"TestB"}` + "\n",
			out:  "    b_test.go:7: no docker\n\n1 passed, 0 failed, 1 skipped\n  skip p TestB\n",
			err:  "a skipped test counts as a failure",
		},
		{
			name: "a package without tests is no skip",
			in:   pass + `{"Action":"skip","Package":"q"}` + "\n",
			out:  "\n1 passed, 0 failed, 0 skipped\n",
		},
		{
			name: "a failure is shown",
			in:   pass + `{"Action":"output","Package":"p","Test":"TestB","Output":"    b_test.go:7: wrong\n"}` + "\n" + `{"Action":"fail","Package":"p","Test":"TestB"}` + "\n" + `{"Action":"fail","Package":"p"}` + "\n",
			out:  "    b_test.go:7: wrong\n\n1 passed, 2 failed, 0 skipped\n  fail p TestB\n  fail p\n",
			err:  "there are failures",
		},
		{
			name: "a test in whose midst the process ended is shown",
			in:   pass + `{"Action":"output","Package":"p","Test":"TestB","Output":"panic: wrong\n"}` + "\n" + `{"Action":"output","Package":"p","Output":"FAIL p\n"}` + "\n" + `{"Action":"fail","Package":"p"}` + "\n",
			out:  "panic: wrong\nFAIL p\n\n1 passed, 1 failed, 0 skipped\n  fail p\n",
			err:  "there are failures",
		},
		{
			name: "a build failure is shown",
			in:   `{"ImportPath":"p","Action":"build-output","Output":"p.go:1: syntax error\n"}` + "\n" + `{"ImportPath":"p","Action":"build-fail"}` + "\n",
			out:  "p.go:1: syntax error\n\n0 passed, 1 failed, 0 skipped\n  build p\n",
			err:  "there are failures",
		},
		{
			name: "what the go command says by itself",
			in:   "go: no such tool\n",
			out:  "go: no such tool\n\n0 passed, 0 failed, 0 skipped\n",
			err:  "no test ran",
		},
		{
			name: "cut off",
			in:   strings.TrimSuffix(pass, "\n"),
			out:  "\n1 passed, 0 failed, 0 skipped\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			err := report(strings.NewReader(tt.in), &out)
			if diff := cmp.Diff(tt.out, out.String()); diff != "" {
				t.Error(diff)
			}
			if got := errorText(err); got != tt.err {
				t.Errorf("error %q, want %q", got, tt.err)
			}
		})
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
