package netsim

// Pending is how many bytes a host has given to its sockets that nobody has
// acknowledged, or that wait for its own reading, or are on their way to it; what
// waits for a stall to end is among them.
func (n *Network) Pending(id Host) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	h := n.hostLocked(id)
	bytes := h.waiting + h.flying
	for s := range h.sockets {
		bytes += s.pendingLocked()
	}
	return bytes
}

func (h *host) holdLocked(size int, do func()) {
	h.held = append(h.held, do)
	h.waiting += size
}

func (c *PacketConn) pendingLocked() (bytes int) {
	for _, d := range c.queue {
		bytes += len(d.data)
	}
	return bytes
}

func (c *Conn) pendingLocked() int {
	bytes := len(c.in.unread) + c.out.held()
	for _, s := range c.in.early {
		bytes += len(s.data)
	}
	return bytes
}

func (l *Listener) pendingLocked() int { return 0 }
