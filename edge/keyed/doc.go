// Package keyed is a hash set of structs that have their key in themselves: what
// an edge finds its users and their inboxes by.
//
// A map from strings to pointers takes 38 bytes for each entry on average: it
// repeats the key, and doubles. A Set takes 12. An edge has three such entries for
// each user.
package keyed
