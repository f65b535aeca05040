//go:build terraform

package terraform

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// An edge's machine makes a certificate by its own name, which the real binary takes,
// and keeps nothing of the CA's key.
func TestAgentPreparesEdge(t *testing.T) {
	m := newMachine(t, "edge")
	m.settings["EDGE_DOMAIN"] = "rt.example.com"
	m.settings["TLS_SECRET"] = arn("secretsmanager:us-east-1", "secret:tls")
	m.write("fake/secrets/tls", selfSigned(t, "*.rt.example.com"))
	calls := m.does("prepare")
	if called(calls, `aws route53 change-resource-record-sets --hosted-zone-id Z1 --change-batch {"Changes":[{"Action":"UPSERT","ResourceRecordSet":{"Name":"i-0abc.rt.example.com","Type":"A","TTL":30,"ResourceRecords":[{"Value":"192.0.2.7"}]}}]}`) < 0 {
		t.Errorf("no name for the edge:\n%s", strings.Join(calls, "\n"))
	}
	if i := called(calls, "curl -fsS -m 5 -X PUT -H X-aws-ec2-metadata-token-ttl-seconds: 60 "); i != 0 {
		t.Errorf("the metadata service is asked without a session first: %s", calls[0])
	}
	want := "SELVEDGE_EDGE_ADVERTISE_HOST=127.0.0.1\nSELVEDGE_EDGE_ZONE=us-east-1b\nSELVEDGE_EDGE_ADVERTISE_URL=https://i-0abc.rt.example.com\n"
	if got := m.read("run/node.env"); got != want {
		t.Errorf("node.env:\n%s", got)
	}
	m.noTrace(m.read("pki/ca-key.pem"))
	public := m.path("etc/keys/public.pem")
	m.starts("edge", "i-0abc", "--public-addr", "127.0.0.1:0", "--join", "127.0.0.1:1", "--drain", "0s", "--max-sockets", "100",
		"--tls-cert", public, "--tls-key", public, "--token-secret-file", m.path("etc/keys/token.secret"))
	m.does("prepare") // again, as after a restart of the node
}

// noTrace expects that a secret is in no file of the machine.
func (m *machine) noTrace(secret string) {
	m.t.Helper()
	for _, root := range []string{"etc", "run"} {
		err := filepath.WalkDir(m.path(root), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			text, err := os.ReadFile(path)
			if err == nil && strings.Contains(string(text), strings.TrimSpace(secret)) {
				m.t.Errorf("%s has it", path)
			}
			return err
		})
		if err != nil {
			m.t.Error(err)
		}
	}
}

// A core's machine takes the volume and the name of its zone, when the last machine
// has let go, and never formats a disk that has something.
func TestAgentPreparesCore(t *testing.T) {
	m := newMachine(t, "core")
	calls := m.does("prepare")
	attach := "aws ec2 attach-volume --region us-east-1 --volume-id vol-2 --instance-id i-0abc"
	format, mount := called(calls, "mkfs.ext4 "), called(calls, "mount ")
	if called(calls, attach) < 0 || format < called(calls, attach) || mount < format {
		t.Errorf("the new volume was not attached, formatted and mounted in this order:\n%s", strings.Join(calls, "\n"))
	}
	if n := len(slices.DeleteFunc(slices.Clone(calls), func(c string) bool { return !strings.HasPrefix(c, attach) })); n != 2 {
		t.Errorf("the volume was asked for %d times; the first time it was not to be had", n)
	}
	if called(calls, `aws route53 change-resource-record-sets --hosted-zone-id Z1 --change-batch {"Changes":[{"Action":"UPSERT","ResourceRecordSet":{"Name":"core-b.example.com"`) < 0 {
		t.Errorf("the core's name is not written:\n%s", strings.Join(calls, "\n"))
	}
	if got := m.read("run/node.env"); got != "SELVEDGE_CORE_ADVERTISE_HOST=127.0.0.1\nSELVEDGE_CORE_ZONE=us-east-1b\n" {
		t.Errorf("node.env:\n%s", got)
	}
	m.starts("core", "core-b", "--api-addr", "127.0.0.1:0", "--data", m.path("data"), "--api-keys", m.path("etc/keys/api.keys"))
	if calls := m.does("prepare"); called(calls, "mkfs.ext4 ") >= 0 {
		t.Errorf("a volume with logs was formatted:\n%s", strings.Join(calls, "\n"))
	}
}

// The group hears when the node is ready, and the machine drains before it lets the
// group end it.
func TestAgentWatches(t *testing.T) {
	for _, role := range []string{"edge", "core"} {
		t.Run(role, func(t *testing.T) {
			m := newMachine(t, role)
			if role == "edge" {
				m.settings["EDGE_DOMAIN"] = "rt.example.com"
			}
			m.imds("autoscaling/target-lifecycle-state", "InService")
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			cmd := m.agent(ctx, "watch")
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			const hook = "aws autoscaling complete-lifecycle-action --region us-east-1 --auto-scaling-group-name chat-"
			calls := func() []string {
				text, err := os.ReadFile(m.path("fake/calls"))
				if err != nil && !errors.Is(err, fs.ErrNotExist) {
					t.Fatal(err)
				}
				return strings.Split(string(text), "\n")
			}
			until := func(what string, holds func() bool) {
				t.Helper()
				for !holds() {
					if ctx.Err() != nil {
						t.Fatalf("no %s:\n%s", what, strings.Join(calls(), "\n"))
					}
					<-time.After(10 * time.Millisecond)
				}
			}
			asked := func() int {
				return len(slices.DeleteFunc(calls(), func(c string) bool { return !strings.HasSuffix(c, "/readyz") }))
			}
			until("question whether the node is ready", func() bool { return asked() > 2 })
			if called(calls(), hook) >= 0 {
				t.Error("the group is told of a node that is not ready")
			}
			m.write("fake/ready", "")
			until("word that the node is ready", func() bool {
				return called(calls(), hook+role+" --lifecycle-hook-name ready --instance-id i-0abc --lifecycle-action-result CONTINUE") >= 0
			})
			m.imds("autoscaling/target-lifecycle-state", "Terminated")
			if err := cmd.Wait(); err != nil {
				t.Fatal(err)
			}
			all := calls()
			stop, end := called(all, "systemctl stop selvedge"), called(all, hook+role+" --lifecycle-hook-name drain")
			if stop < 0 || end < stop {
				t.Errorf("the machine is let go before the node has stopped:\n%s", strings.Join(all, "\n"))
			}
			between := map[string]string{"edge": `aws route53 change-resource-record-sets --hosted-zone-id Z1 --change-batch {"Changes":[{"Action":"DELETE"`, "core": "aws ec2 detach-volume "}[role]
			if at := called(all, between); at < stop || at > end {
				t.Errorf("between them belongs %q:\n%s", between, strings.Join(all, "\n"))
			}
		})
	}
}

// Metrics reach CloudWatch as they are, and counters by how much they have grown.
func TestAgentPublishesMetrics(t *testing.T) {
	m := newMachine(t, "core")
	m.write("fake/ready", "")
	counters := func(ok, failed, ocean string) {
		m.write("fake/metrics", `# HELP selvedge_core_publishes_total publishes
selvedge_core_publishes_total{result="ok"} `+ok+`
selvedge_core_publishes_total{result="unavailable"} `+failed+`
selvedge_link_bytes_total{direction="out",scope="ocean"} `+ocean+`
selvedge_link_bytes_total{direction="out",scope="region"} 7
selvedge_cert_expiry_timestamp_seconds 4.102444800e+09
`)
	}
	expect := func(want ...string) {
		t.Helper()
		calls := m.does("metrics")
		put := calls[len(calls)-1]
		for _, w := range want {
			if !strings.Contains(put, "MetricName="+w+",Dimensions=[{Name=AutoScalingGroupName,Value=chat-core}]") {
				t.Errorf("no %s in %s", w, put)
			}
		}
	}
	counters("100", "1", "5e+06")
	expect("Ready,Value=1", "CorePublishes,Value=0", "CorePublishErrors,Value=0")
	counters("150", "3", "5.000256e+06")
	expect("CorePublishes,Value=52", "CorePublishErrors,Value=2", "OceanBytes,Value=256")
	counters("10", "0", "100") // it was started again
	expect("CorePublishes,Value=10", "CorePublishErrors,Value=0", "OceanBytes,Value=100")

	m = newMachine(t, "edge")
	m.write("fake/metrics", "selvedge_edge_sockets 12345\nselvedge_edge_load 0.25\nselvedge_edge_load_part{part=\"cpu\"} 0.9\nselvedge_edge_gaps_total 0\n")
	calls := m.does("metrics")
	for _, want := range []string{"Ready,Value=0,", "EdgeSockets,Value=12345,", "EdgeLoad,Value=0.25,"} {
		if put := calls[len(calls)-1]; !strings.Contains(put, "MetricName="+want) {
			t.Errorf("no %s in %s", want, put)
		}
	}
}

// The agent asks for metrics that there are: docs/operating.md has all of them.
func TestAgentKnowsMetrics(t *testing.T) {
	script, err := os.ReadFile("modules/aws/agent/agent.sh")
	if err != nil {
		t.Fatal(err)
	}
	docs, err := os.ReadFile("../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile(`\bselvedge_[a-z_]+\b`).FindAllString(string(script), -1)
	if len(names) < 7 {
		t.Errorf("only %v", names)
	}
	for _, name := range names {
		if !strings.Contains(string(docs), "| `"+name+"` |") {
			t.Errorf("there is no metric %s", name)
		}
	}
}

// selfSigned is a certificate and its key, in PEM.
func selfSigned(t *testing.T, name string) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	cert, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour),
	}, &x509.Certificate{SerialNumber: big.NewInt(1)}, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})) + string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}
