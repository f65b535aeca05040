# shellcheck shell=bash
# Asks a node to stop and waits until it has drained.
# From the environment: NAME, DIR, STOP (seconds until it is killed).
set -euo pipefail
# shellcheck source=process.sh
. "$(dirname "$0")/process.sh"

pid_file=$DIR/$NAME.pid
if [[ ! -f $pid_file ]]; then
	echo "$NAME was not running"
	exit 0
fi
pid=$(<"$pid_file")
if ! up "$pid" || [[ $(command_of "$pid") != *"--config $DIR/$NAME.yaml"* ]]; then
	echo "$NAME was not running: its pid $pid is nobody's, or another process'"
	rm -f "$pid_file"
	exit 0
fi
kill -TERM "$pid"
for ((i = 0; i < STOP * 10; i++)); do
	if ! up "$pid"; then
		rm -f "$pid_file"
		echo "$NAME has drained and stopped"
		exit 0
	fi
	sleep 0.1
done
kill -KILL "$pid" 2>/dev/null || true
rm -f "$pid_file"
echo "$NAME did not stop within $STOP s, and was killed" >&2
tail -n 5 "$DIR/$NAME.log" >&2
exit 1
