package identity

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"time"

	"selvedge/internal/config"
)

// TokenCommand is `selvedge token`.
type TokenCommand struct {
	User       string        `help:"Id of the user that the token is for." required:"" placeholder:"ID"`
	TTL        time.Duration `help:"How long the token is good." default:"1h"`
	Publish    []string      `help:"Channels that the user may publish to; a * at the end stands for any rest. Repeatable." placeholder:"PATTERN" sep:"none"`
	Subscribe  []string      `help:"Topics that the user may subscribe to; a * at the end stands for any rest. Repeatable." placeholder:"PATTERN" sep:"none"`
	Team       string        `help:"Team of the user: a team's users are led to the same edge of a region." placeholder:"ID"`
	Audience   string        `help:"The aud claim, where edges ask for one." placeholder:"TEXT"`
	Issuer     string        `help:"The iss claim, where edges ask for one." placeholder:"TEXT"`
	Dev        bool          `help:"Sign with the secret of --dev nodes."`
	SecretFile string        `help:"File with the secret that edges verify tokens with (HS256, at least 32 bytes)." placeholder:"FILE"`
}

// Help is the command's long help.
func (*TokenCommand) Help() string {
	return "Examples:\n\n" +
		"  $ selvedge token --dev --user u1\n" +
		"  $ selvedge token --secret-file token.secret --user u1 --ttl 15m --publish 'room:*' --subscribe 'topic:news'\n\n" +
		"The token is all that stdout gets. Rooms need no --subscribe: whoever is a member receives."
}

// Run prints a token.
func (c *TokenCommand) Run(stdio *config.IO) error {
	var secret []byte
	switch {
	case c.Dev == (c.SecretFile != ""):
		return config.Usagef("say which secret signs: --dev or --secret-file FILE, one of them")
	case c.Dev:
		secret = []byte(DevTokenSecret)
	default:
		read, err := LoadSecret(c.SecretFile)
		if err != nil {
			return err
		}
		secret = read
	}
	for _, pattern := range append(append([]string{}, c.Publish...), c.Subscribe...) {
		if err := checkPattern(pattern); err != nil {
			return config.Usagef("%w", err)
		}
	}
	now := time.Now()
	token, err := Sign(secret, Claims{
		User:      c.User,
		Publish:   c.Publish,
		Subscribe: c.Subscribe,
		Team:      c.Team,
		Audience:  c.Audience,
		Issuer:    c.Issuer,
		Expires:   now.Add(c.TTL),
	}, now)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(stdio.Stdout, token)
	return err
}

// LoadSecret reads a token secret from a file, without the line's end.
func LoadSecret(path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("token secret can't be read: %w", err)
	}
	secret := bytes.TrimRight(text, "\r\n")
	if len(secret) < minSecret {
		return nil, fmt.Errorf("token secret %s has %d bytes: HS256 needs at least %d", path, len(secret), minSecret)
	}
	return secret, nil
}

// checkPattern catches what would match nothing.
func checkPattern(pattern string) error {
	kind, rest, ok := strings.Cut(pattern, ":")
	if pattern != "*" && (!ok || rest == "" || kind != "room" && kind != "inbox" && kind != "topic") {
		return fmt.Errorf("channel pattern %q: write it as room:ID, inbox:USER, topic:ID, with * at the end for any rest", pattern)
	}
	if i := strings.IndexByte(pattern, '*'); i >= 0 && i != len(pattern)-1 {
		return fmt.Errorf("channel pattern %q: a * stands at the end only", pattern)
	}
	return nil
}
