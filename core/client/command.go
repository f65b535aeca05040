package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"selvedge/internal/config"
	"selvedge/internal/identity"
	"selvedge/wire"
)

// PublishCommand is `selvedge publish`.
type PublishCommand struct {
	Channel string `arg:"" help:"Channel to publish to: room:<id>, inbox:<user> or topic:<id>; or - to read messages from standard input."`
	Data    string `arg:"" optional:"" help:"What to publish, as JSON; or - to read messages for the channel from standard input."`

	Core  string `default:"http://127.0.0.1:7400" placeholder:"URL" help:"API of the core."`
	Key   string `placeholder:"KEY" help:"API key."`
	Dev   bool   `help:"Use the key of a core that runs with --dev."`
	From  string `placeholder:"ID" help:"Who says it, as receivers see it."`
	MsgID string `name:"msg-id" placeholder:"ID" help:"Makes a repetition of the command harmless: the core takes an id once."`
	Text  bool   `help:"Take DATA as plain text, not as JSON."`
}

// Help is the command's long help.
func (*PublishCommand) Help() string {
	return `Examples:

  $ selvedge publish --dev room:general '{"text":"Hello, world"}'
  $ selvedge publish --dev room:general --text "Hello, world"
  $ selvedge publish --dev - < messages.jsonl

With -, standard input has one JSON object a line: {"channel","data","from"?,"msg_id"?}. Messages of
one channel keep their order. The last line on standard output says how many were acknowledged.`
}

// Run publishes what the arguments say.
func (c *PublishCommand) Run(ctx context.Context, stdio *config.IO) error {
	key, err := c.key()
	if err != nil {
		return err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = lanes + 1
	defer transport.CloseIdleConnections()
	client := &Client{BaseURL: c.Core, Key: key, HTTP: &http.Client{Transport: transport, Timeout: 2 * time.Minute}}
	switch {
	case c.Channel == "-" && c.Data != "":
		return config.Usagef("publish: with - as the channel, the data comes from standard input: leave out %q", c.Data)
	case c.MsgID != "" && (c.Channel == "-" || c.Data == "-"):
		return config.Usagef("publish: --msg-id is for a single message: give each line its own msg_id")
	case c.Channel == "-":
		return c.stream(ctx, client, stdio, "")
	case c.Data == "-" && !c.Text:
		return c.stream(ctx, client, stdio, wire.Channel(c.Channel))
	case c.Data == "":
		return config.Usagef("publish: DATA is missing: give a JSON value, or - to read lines from standard input")
	}
	return c.one(ctx, client, stdio)
}

func (c *PublishCommand) key() (string, error) {
	switch {
	case c.Dev && c.Key != "":
		return "", config.Usagef("publish: --dev and --key exclude each other")
	case c.Dev:
		return identity.DevAPIKey, nil
	case c.Key == "":
		return "", config.Usagef("publish: the API key is missing: give --key, or --dev for a core that runs with --dev")
	}
	return c.Key, nil
}

// one publishes one message and prints the core's answer as a line of JSON.
func (c *PublishCommand) one(ctx context.Context, client *Client, stdio *config.IO) error {
	message := Message{Channel: wire.Channel(c.Channel), From: c.From, MsgID: c.MsgID}
	if c.Text {
		data, err := textData(c.Data)
		if err != nil {
			return fmt.Errorf("publish: %w", err)
		}
		message.Data = data
	} else {
		data, err := wire.ParseJSON([]byte(c.Data))
		if err != nil {
			return fmt.Errorf("publish: %q is not JSON (%w): put strings in quotes, as in '\"hi\"', or use --text", clip(c.Data), err)
		}
		message.Data = data
	}
	if err := check(message); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	placed, err := client.Publish(ctx, message)
	if err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	if room, ok := message.Channel.Room(); ok {
		warnUnknown(ctx, client, stdio.Stderr, room)
	}
	return json.NewEncoder(stdio.Stdout).Encode(placed)
}

func textData(text string) (wire.Data, error) {
	quoted, err := json.Marshal(text)
	if err != nil {
		return nil, err
	}
	return wire.ParseJSON(quoted)
}

// check finds out here what the core would refuse, before anything is sent.
func check(m Message) error {
	post := wire.Post{Ch: m.Channel, From: m.From, MsgID: m.MsgID, Data: m.Data}
	return post.Check()
}

// clip shortens a user's text for a message.
func clip(s string) string {
	if runes := []rune(s); len(runes) > 60 {
		return string(runes[:60]) + "…"
	}
	return s
}
