# shellcheck shell=bash
# Makes a cluster's keys. From the environment: BINARY, DIR.
set -euo pipefail
umask 077
mkdir -p "$DIR/keys"
cd "$DIR/keys"
[[ -f ca.pem ]] || "$BINARY" cert ca .
[[ -f gossip.key ]] || head -c 32 /dev/urandom | base64 >gossip.key
[[ -f token.secret ]] || head -c 48 /dev/urandom | base64 | tr -d '\n' >token.secret
[[ -f api.keys ]] || echo "backend:$(head -c 24 /dev/urandom | od -An -v -tx1 | tr -d ' \n')" >api.keys
