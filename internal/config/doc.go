// Package config turns flags, environment and one YAML file, in that order, into
// the values of the command that was asked for, and runs it.
//
// A room declares its settings once, as a kong command struct. Everything else
// follows from that model: the environment name of `core --api-addr` is
// SELVEDGE_CORE_API_ADDR, and its place in the file is core: {api_addr: …}.
package config
