package websocket

// Idle reports whether p is between two messages, and may be forgotten: another
// one, made as p was, goes on as well. It holds no buffer then.
func (p *Parser) Idle() bool {
	return p.headN == 0 && p.flags&(inMessage|inPayload|closed|spent) == 0
}
