// Package identitytest makes keys for tests that need them in files.
package identitytest
