package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/cespare/xxhash/v2"

	"selvedge/internal/config"
	"selvedge/wire"
)

const (
	// lanes is how many batches are under way at a time. A channel has its lane, so
	// that its messages can't overtake each other.
	lanes = 4
	// batchItems and batchBytes bound a batch. The reader waits while a lane has as
	// many items waiting as fit one batch.
	batchItems = 1000
	batchBytes = 1 << 20
	// lineBytes is the longest line that is read: the largest data, escaped.
	lineBytes = 8 << 20
)

// line is a message with its line number.
type line struct {
	number  int
	size    int
	message Message
}

// summary is the last line on standard output.
type summary struct {
	Acknowledged int64   `json:"acknowledged"`
	Failed       int64   `json:"failed"`
	Seconds      float64 `json:"seconds"`
	PerSecond    float64 `json:"per_second"`
}

// stream publishes the lines of standard input. channel is for lines that name
// none ("" = each must).
func (c *PublishCommand) stream(ctx context.Context, client *Client, stdio *config.IO, channel wire.Channel) error {
	start := time.Now()
	// What makes going on pointless (no answer from the core) ends sending.
	sending, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	progress := startProgress(stdio)
	warner := startWarner(sending, client, progress)
	queues := make([]chan line, lanes) // closed by the reader
	var senders sync.WaitGroup
	for i := range queues {
		queues[i] = make(chan line, batchItems)
		senders.Go(func() {
			s := sender{client: client, progress: progress, stuck: make(map[wire.Channel]bool)}
			s.run(sending, stop, queues[i])
		})
	}
	// Reading standard input can't be interrupted: a reader that waits for a line
	// when the command ends is left to the end of the process.
	read := make(chan error, 1)
	go func() {
		r := reader{command: c, channel: channel, queues: queues, warner: warner}
		read <- r.run(sending, stdio.Stdin)
	}()
	var err error
	select {
	case err = <-read:
		senders.Wait()
	case <-sending.Done():
		senders.Wait()
	}
	warner.wait()
	if cause := context.Cause(sending); cause != nil {
		err = cause
	}
	acknowledged, failed := progress.stop()
	seconds := time.Since(start).Seconds()
	sum := summary{Acknowledged: acknowledged, Failed: failed, Seconds: round(seconds), PerSecond: round(float64(acknowledged) / max(seconds, 1e-6))}
	if printErr := json.NewEncoder(stdio.Stdout).Encode(sum); printErr != nil {
		return errors.Join(err, printErr)
	}
	switch {
	case err != nil:
		return fmt.Errorf("publish: %w", err)
	case failed > 0:
		return fmt.Errorf("publish: %d messages failed, %d were acknowledged", failed, acknowledged)
	}
	return nil
}

func round(x float64) float64 { return float64(int64(x*1000+0.5)) / 1000 }

// reader makes messages of lines and hands them to the lanes.
type reader struct {
	command *PublishCommand
	channel wire.Channel
	queues  []chan line
	warner  *warner
}

// run reads until the end, a bad line, or the end of ctx; it closes the queues.
func (r *reader) run(ctx context.Context, stdin io.Reader) error {
	defer func() {
		for _, q := range r.queues {
			close(q)
		}
		close(r.warner.rooms)
	}()
	scanner := bufio.NewScanner(stdin)
	scanner.Buffer(make([]byte, 64<<10), lineBytes)
	n := 0
	for scanner.Scan() {
		n++
		text := bytes.TrimSpace(scanner.Bytes())
		if len(text) == 0 {
			continue
		}
		message, err := r.parse(text)
		if err != nil {
			return fmt.Errorf("line %d: %w: it and what follows is not published", n, err)
		}
		r.warner.see(message.Channel)
		lane := r.queues[xxhash.Sum64String(string(message.Channel))%uint64(len(r.queues))]
		select {
		case lane <- line{number: n, size: len(text), message: message}:
		case <-ctx.Done():
			return nil
		}
	}
	switch err := scanner.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return fmt.Errorf("line %d: longer than %d bytes: it and what follows is not published", n+1, lineBytes)
	case err != nil:
		return fmt.Errorf("read standard input: %w", err)
	}
	return nil
}

func (r *reader) parse(text []byte) (Message, error) {
	var in struct {
		Channel wire.Channel `json:"channel"`
		Data    wire.Data    `json:"data"`
		From    string       `json:"from"`
		MsgID   string       `json:"msg_id"`
	}
	if err := wire.JSON.DecodeStrict(text, &in); err != nil {
		return Message{}, err
	}
	message := Message{Channel: in.Channel, Data: in.Data, From: in.From, MsgID: in.MsgID}
	if message.Channel == "" {
		message.Channel = r.channel
	}
	if message.From == "" {
		message.From = r.command.From
	}
	return message, check(message)
}

// sender publishes the messages of one lane, one batch at a time: what has come
// while a batch was under way is the next one.
type sender struct {
	client   *Client
	progress *progress
	stuck    map[wire.Channel]bool // one of its messages failed: nothing may follow
}

func (s *sender) run(ctx context.Context, stop context.CancelCauseFunc, queue <-chan line) {
	for {
		batch, more := next(ctx, queue)
		batch = s.skipStuck(batch)
		if len(batch) > 0 {
			if err := s.send(ctx, batch); err != nil {
				stop(err)
				return
			}
		}
		if !more {
			return
		}
	}
}

// next waits for a line and takes what else is there, up to a batch. more is
// false when the queue has ended, or ctx.
func next(ctx context.Context, queue <-chan line) (batch []line, more bool) {
	select {
	case first, ok := <-queue:
		if !ok {
			return nil, false
		}
		batch = append(batch, first)
	case <-ctx.Done():
		return nil, false
	}
	for size := batch[0].size; len(batch) < batchItems && size < batchBytes; {
		select {
		case l, ok := <-queue:
			if !ok {
				return batch, false
			}
			batch = append(batch, l)
			size += l.size
		default:
			return batch, true
		}
	}
	return batch, true
}

func (s *sender) skipStuck(batch []line) []line {
	if len(s.stuck) == 0 {
		return batch
	}
	kept := batch[:0]
	for _, l := range batch {
		if s.stuck[l.message.Channel] {
			s.progress.fail(l.number, errors.New("not attempted: an earlier message of this channel failed"))
			continue
		}
		kept = append(kept, l)
	}
	return kept
}

// send publishes a batch. Its error ends everything: the core can't be reached,
// or refuses all.
func (s *sender) send(ctx context.Context, batch []line) error {
	messages := make([]Message, len(batch))
	for i, l := range batch {
		messages[i] = l.message
	}
	results, err := s.client.PublishBatch(ctx, messages)
	if err != nil {
		s.progress.failed.Add(int64(len(batch)))
		return err
	}
	done := 0
	for i, r := range results {
		if r.Err == nil {
			done++
			continue
		}
		s.stuck[batch[i].message.Channel] = true
		s.progress.fail(batch[i].number, r.Err)
	}
	s.progress.acknowledged.Add(int64(done))
	return nil
}
