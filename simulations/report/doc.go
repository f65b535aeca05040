// Package report writes what a simulation found: report.json for machines, and
// report.html for people, one file that needs nothing else.
package report
