// Package js carries the JavaScript SDK, ready to be served as it is.
package js
