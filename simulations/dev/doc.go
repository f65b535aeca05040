// Package dev is `selvedge dev`: a core and a few edges in one process on
// loopback, as far apart as their regions are, with the demo page and the
// console.
package dev
