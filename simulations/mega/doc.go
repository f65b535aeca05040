// Package mega measures one channel with 100,000 members on 100 real gateways, and
// what it saves that a room is one channel: the two large cases of the fan-out
// question.
package mega
