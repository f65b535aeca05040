package edge

import "selvedge/wire/link"

// ordered takes what a core tells this edge to do. Several may tell the same.
func (n *edgeNode) ordered(core string, o link.Order) {
	switch {
	case o.Do != link.Drain:
		n.cfg.Logger.Warn("an order that this version does not know", "order", o.Do, "core", core)
	case !n.draining.Load():
		n.cfg.Logger.Info("told to drain", "core", core, "by", o.By, "via", o.Via)
		n.stop()
	}
}
