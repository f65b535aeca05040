// Package identity says who a user, a backend and a node are: tokens, API keys
// and certificates, how they are made and how they are checked.
package identity
