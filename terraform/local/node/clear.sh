# shellcheck shell=bash
# Removes what keys.sh and start.sh made, and nothing else. From the environment: DIR.
set -euo pipefail
cd "$DIR" 2>/dev/null || exit 0
if compgen -G '*.pid' >/dev/null; then
	echo "there are still processes of $DIR: $(echo ./*.pid)" >&2
	exit 1
fi
rm -rf keys core-data
for file in *.yaml; do
	[[ -f $file ]] && rm -f "$file" "${file%.yaml}.log"
done
cd / && rmdir "$DIR" 2>/dev/null || true
