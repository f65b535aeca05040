// Package reporttest looks at a report's files as those who get them do.
package reporttest
