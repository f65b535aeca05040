// Package top is `selvedge top`: it asks cores how their cluster is doing, and
// shows it as a table that moves.
package top
