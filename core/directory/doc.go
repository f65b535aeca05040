// Package directory is a core's view of the state log: users, rooms and
// memberships, and it is the only writer of state records.
//
// The state log is the one truth (rule 6). A View applies its records to an
// ordered store on local disk and remembers, in the same batch, how far it got.
// So it resumes from a number; and as nothing else writes to it, it may be
// thrown away at any time and built again from the log. That is what Open does
// with a damaged folder, and with one of another epoch.
//
// A Writer reads the view, decides what the next record of a key is, and appends
// it on the condition that the key's last record is still the one it read. The
// log is the judge: two writers of one key can't both be right, and the loser
// reads again. A call returns when this core's view has applied what it wrote,
// so that reads after a write on the same core see it.
package directory
