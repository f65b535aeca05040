// Package region knows where regions are and how long a round trip between two
// of them takes.
//
// The data is embedded; data/README.md gives its sources, licences and
// assumptions.
package region
