package transport

// goodbye is a conn that will be closed after the current call of the handler.
type goodbye struct {
	c   *Conn
	err error
}

// maxKept bounds the scratch space that a storm leaves behind, in entries.
const maxKept = 1024

// graves are the conns to close. Handlers are never called from inside Close,
// so a handler may close any conn at any time, also while it walks its own
// lists.
type graves struct {
	list    []goodbye
	lingers lingers
}

// bury marks c as closing with err and puts it on the list, once. A lingering
// conn's reason was given before.
func (g *graves) bury(c *Conn, err error) {
	if c.state&closing != 0 {
		return
	}
	if lg := g.lingers.drop(c); lg != nil {
		err = lg.err
	}
	c.state |= closing
	g.list = append(g.list, goodbye{c, err})
}

// empty calls end for each on the list, also for those that join it meanwhile.
func (g *graves) empty(end func(*Conn, error)) {
	for i := 0; i < len(g.list); i++ {
		e := g.list[i]
		g.list[i] = goodbye{}
		end(e.c, e.err)
	}
	if cap(g.list) > maxKept {
		g.list = nil
	}
	g.list = g.list[:0]
}
