package link

import (
	"errors"
	"fmt"

	"github.com/quic-go/quic-go"

	"selvedge/internal/identity"
)

// ErrIdentity: the peer's certificate names another node than the peer says, or
// than was wanted, or one of another role.
var ErrIdentity = errors.New("not the node that it should be")

// checkPeer checks the certificate at the other end of conn: it must name this
// node.
func checkPeer(conn *quic.Conn, role, name string) error {
	has, err := peerName(conn, role)
	if err == nil && has != name {
		err = fmt.Errorf("%w: the certificate is %s %q's, it should be %q's", ErrIdentity, role, has, name)
	}
	return err
}

// peerName is the name in the certificate at the other end of conn, which must be
// one of a node of a role.
func peerName(conn *quic.Conn, role string) (string, error) {
	has, name, err := identity.PeerName(conn.ConnectionState().TLS)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrIdentity, err)
	}
	if has != role {
		return "", fmt.Errorf("%w: %q is a %s by its certificate, and no %s", ErrIdentity, name, has, role)
	}
	return name, nil
}
