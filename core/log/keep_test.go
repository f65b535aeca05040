package log

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"selvedge/wire"
)

func openOne(t *testing.T) (*Store, Config) {
	t.Helper()
	cfg := Config{Dir: t.TempDir(), Logs: 1, BootID: func() string { return "one" }}
	s, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s, cfg
}

func post(text string) *wire.Post {
	return &wire.Post{Ch: "room:a", TS: 1, Data: append(wire.Data{0xa0 | byte(len(text))}, text...)}
}

// followed sends what a Follow of log 0 gets; its error comes last, in err.
func followed(t *testing.T, s *Store) (got chan wire.Seq, err chan error) {
	t.Helper()
	got, err = make(chan wire.Seq, 1<<12), make(chan error, 1)
	go func() {
		err <- s.Follow(t.Context(), 0, 0, func(batch []Stored) error {
			for _, st := range batch {
				got <- st.Seq
			}
			return nil
		})
	}()
	return got, err
}

func TestBrokenConnectionsAreOpenedAgain(t *testing.T) {
	t.Parallel()
	s, _ := openOne(t)
	got, _ := followed(t, s)
	due := wire.Seq(1)
	for _, pick := range []func(*session) uint64{
		func(sess *session) uint64 { id, _ := sess.pub.GetClientID(); return id },
		func(sess *session) uint64 { id, _ := sess.read.GetClientID(); return id },
	} {
		sess, err := s.session()
		if err != nil {
			t.Fatal(err)
		}
		for i := range 50 {
			if i == 25 {
				if err := sess.srv.server.DisconnectClientByID(pick(sess)); err != nil {
					t.Fatal(err)
				}
			}
			for {
				_, err := s.Publish(t.Context(), "key", post(fmt.Sprint(i)))
				if err == nil {
					break
				}
				if !errors.Is(err, ErrUnavailable) {
					t.Fatal(err)
				}
				if _, err := s.await(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		}
		<-sess.failed
		for end := s.End(0); due <= end; due++ { // a retry may have come twice
			select {
			case seq := <-got:
				if seq != due {
					t.Fatalf("followed %d, want %d", seq, due)
				}
			case <-time.After(10 * time.Second): // less than a follower takes to notice silence
				t.Fatalf("%d did not follow within 10 s", due)
			}
		}
		if _, err := s.await(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAServerThatRefusesIsOpenedAgain(t *testing.T) {
	t.Parallel()
	s, _ := openOne(t)
	sess, err := s.session()
	if err != nil {
		t.Fatal(err)
	}
	if err := sess.srv.server.DisableJetStream(); err != nil { // as it does itself when it may not write
		t.Fatal(err)
	}
	if _, err := s.Publish(t.Context(), "key", post("x")); !errors.Is(err, ErrUnavailable) {
		t.Fatalf("publish: %v", err)
	}
	select {
	case <-sess.failed:
	case <-time.After(10 * time.Second):
		t.Fatal("the session goes on")
	}
	for {
		if _, err := s.await(t.Context()); err != nil {
			t.Fatal(err)
		}
		placed, err := s.Publish(t.Context(), "key", post("x"))
		if err == nil {
			if placed.Seq != 1 {
				t.Errorf("the first frame is %d", placed.Seq)
			}
			return
		}
	}
}

func TestALostTailEndsTheStoreAndTheEpoch(t *testing.T) {
	t.Parallel()
	s, cfg := openOne(t)
	if _, err := s.Publish(t.Context(), "key", post("x")); err != nil {
		t.Fatal(err)
	}
	epoch := s.Epoch()
	_, ended := followed(t, s)
	sess, err := s.session()
	if err != nil {
		t.Fatal(err)
	}
	s.advance(0, 5) // as if four more had been acknowledged
	sess.fail(unavailable(errors.New("a test")))
	if err := <-ended; !errors.Is(err, ErrTailLost) {
		t.Errorf("follow ends with %v", err)
	}
	if _, err := s.Publish(t.Context(), "key", post("x")); !errors.Is(err, ErrTailLost) || !errors.Is(err, ErrUnavailable) {
		t.Errorf("publish: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, err = Open(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}()
	if s.Epoch() == epoch {
		t.Error("the epoch stays")
	}
}
