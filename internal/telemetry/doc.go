// Package telemetry shows a node to those who run it: metrics, health, profiles
// and logs. Nothing in it is global: each node has its own registry, so that
// several live in one process.
package telemetry
