// Package terraform checks the Terraform modules beside it: by the real binary,
// by a stand-in for the cloud, and by a cluster of processes on this machine. Its
// tests need terraform and have a build tag of that name; `make terraform` runs them.
package terraform
