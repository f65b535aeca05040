// Package storm is `selvedge simulate storm`: ten thousand clients whose edge is
// killed, in real time, and an office that loses its network and returns, in virtual
// time; and what it takes until all are back.
package storm
