// Package orders has processes of our own do what lines of JSON say, one after
// the other, and tell what came of each.
package orders
