package load

import (
	"selvedge/edge/cache"
	"selvedge/edge/websocket"
	"selvedge/wire"
)

// packet is the bytes that an edge writes for message n of a channel to a
// msgpack socket, when it is at seq of its log and the one before it at seq-1.
func packet(texts Texts, ch wire.Channel, n int, seq wire.Seq, now int64) ([]byte, error) {
	data, err := texts.Data(n)
	if err != nil {
		return nil, err
	}
	post := wire.Post{Ch: ch, TS: now, From: From, Data: data}
	if err := post.Check(); err != nil {
		return nil, err
	}
	frame := wire.AppendFrame(nil, wire.LogOf(ch, 16), seq, seq-1, wire.AppendBody(nil, &post))
	return cache.PacketIn(cache.FormOf(wire.Msgpack, false), frame), nil
}

// welcome is a frame that a client takes for a welcome, with a payload of size
// bytes; fewer than 32 are 32.
func welcome(size int) ([]byte, error) {
	size = max(size, 32)
	pad := size
	for {
		payload, err := wire.Msgpack.Append(nil, struct {
			T   string `json:"t"`
			Pad string `json:"pad"`
		}{wire.TWelcome, string(make([]byte, pad))})
		if err != nil {
			return nil, err
		}
		if len(payload) <= size {
			return append(websocket.AppendHeader(nil, websocket.OpBinary, len(payload)), payload...), nil
		}
		pad -= len(payload) - size
	}
}
