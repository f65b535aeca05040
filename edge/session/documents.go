package session

import (
	"context"
	"errors"

	"selvedge/edge/objects"
	"selvedge/wire"
)

// Hot are the keys of the documents that were used last here, at most n.
func (m *Manager) Hot(n int) []string { return m.objects.Hot(n) }

// Warm asks a sibling for documents that are likely to be asked for here, if there is
// anybody who could.
func (m *Manager) Warm(node string, keys []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.users.Len() > 0 { // else nobody would end what is kept
		m.objects.Warm(node, keys)
	}
}

// errEmpty: an edge without users keeps no documents.
var errEmpty = errors.New("nobody is here")

// documentsBytes is what one answer may take; the rest is asked of the core.
const documentsBytes = 4 << 20

// Documents answers a sibling of this edge: the documents of keys as they were at
// position V of the state log, or later. It fails if the core can't be asked, or this
// edge has no users of its own: then it keeps nothing, for nobody would end it.
func (m *Manager) Documents(ctx context.Context, keys []string) (*wire.Answer, error) {
	if m.Users() == 0 {
		return nil, errEmpty
	}
	a := &wire.Answer{V: m.Position(), Objects: map[string]wire.Object{}}
	docs := make([]*objects.Object, len(keys))
	if err := m.objects.GetHere(ctx, keys, docs); err != nil {
		return nil, err
	}
	m.mu.Lock()
	if m.users.Len() == 0 { // the last went meanwhile, and with it what was kept
		m.objects.Reset()
	}
	m.mu.Unlock()
	room := documentsBytes
	for i, doc := range docs {
		if room -= len(doc.Data); room < 0 {
			break
		}
		if doc.Exists() {
			a.Objects[keys[i]] = wire.Object{V: doc.V, Data: doc.Data}
		} else {
			a.Missing = append(a.Missing, keys[i])
		}
	}
	return a, nil
}
