// Package ledger checks what was promised: it compares what publishers had
// acknowledged with what each client saw.
package ledger
