// Package child has processes and folders that don't outlive who started them,
// however that one ended.
package child
