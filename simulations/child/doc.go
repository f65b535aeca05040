// Package child starts processes that don't outlive who started them, however
// that one ended.
package child
