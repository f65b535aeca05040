package top

// explanation is the help that ? shows, a line for each thing.
func explanation() []line {
	var lines []line
	for _, text := range []string{
		"Figures are what the cores know, by gossip and by their links. " + none + " is what",
		"none has been told: of an edge without a link to the cores that were asked.",
		"",
		"NODE      nodes under their region; a region's own line adds its edges up",
		"STATE     as gossip says, gone = not there any more; of a region: ready/all",
		"LOAD      of an edge, 0 idle, 1 full; of a region the worst",
		"SOCKETS   now / at most",
		"USERS     with a socket at that edge",
		"FRAMES/S  received by the edge",
		"DELIV/S   written to its sockets",
		"BYTES/S   received by the edge over its links",
		"RTT       of the link between core and edge; of a region the worst",
		"DELAY     from the core to the socket, of the newest frame",
		"LOGS      frame logs that the edge takes from these cores",
		"UP        since the node was started",
		"",
		"to edges  what these cores send over oceans, to edges of other regions; and what",
		"          stays in a region: of these cores, and of relays to their siblings",
		"RELAYS    which edge takes which logs from a core",
		"",
		"A letter that is underlined sorts by its column, and again, the other way.",
		"Arrows, Page Up, Page Down, Home and End scroll. q or Ctrl-C quits.",
	} {
		lines = append(lines, say(plain, text))
	}
	return lines
}
