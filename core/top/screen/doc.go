// Package screen has a terminal to itself: it shows lines of text on all of it,
// and reads its keys.
//
// It is here because the usual library for it (bubbletea 1.3) asks the terminal for
// its colours when a process starts, whatever its command: each command of this
// binary, servers too, would write to its terminal first, and wait 5 s where no
// answer comes.
package screen
