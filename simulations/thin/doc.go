// Package thin is a load of thin streams: small messages, one at a time, over connections
// that are idle in between, as chat has it. It runs on simulated connections and on real ones.
package thin
