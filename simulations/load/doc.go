// Package load is the other end of a measurement: processes that hold many
// client sockets and check every frame that comes, and the bare floor, a
// process that does only what the kernel can't be spared. Both run on Linux.
package load
