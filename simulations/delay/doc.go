// Package delay makes a packet connection as far away from its peers as one
// likes, by holding every datagram for a while in each direction.
package delay
