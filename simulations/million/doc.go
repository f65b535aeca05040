// Package million is `selvedge simulate million`: as many real WebSockets as one
// machine holds, welcomed and members of rooms, and what they cost while they
// connect, while nothing happens, and when one message goes to all.
package million
