# shellcheck shell=bash
# Starts a node and waits until it is fit for traffic.
# From the environment: NAME, ROLE, BINARY, DIR, CONFIG (text), PORT (admin).
set -euo pipefail
# shellcheck source=process.sh
. "$(dirname "$0")/process.sh"

pid_file=$DIR/$NAME.pid config=$DIR/$NAME.yaml log=$DIR/$NAME.log
if [[ -f $pid_file ]] && up "$(<"$pid_file")" && [[ $(command_of "$(<"$pid_file")") == *"--config $config"* ]]; then
	echo "$NAME runs already, with pid $(<"$pid_file"), and this state does not know of it: stop it first" >&2
	exit 1
fi
printf '%s' "$CONFIG" >"$config"
"$BINARY" config check "$config"
[[ -f $DIR/keys/$ROLE-$NAME.pem ]] || "$BINARY" cert node "$DIR/keys" --role "$ROLE" --name "$NAME"

# In a session of its own, so that an interrupt of terraform doesn't reach it.
detach=(nohup)
command -v setsid >/dev/null && detach=(setsid)
"${detach[@]}" "$BINARY" "$ROLE" --config "$config" >"$log" 2>&1 </dev/null &
pid=$!
echo "$pid" >"$pid_file"

# Another process on our port may answer, too: so our own has to run, and to have said its
# own name in its own log.
for ((i = 0; i < 300; i++)); do
	if ! up "$pid"; then
		echo "$NAME ended at its start:" >&2
		tail -n 5 "$log" >&2
		rm -f "$pid_file"
		exit 1
	fi
	if grep -q "msg=\"$ROLE started\" node=$NAME " "$log" && ready "$PORT" 2>/dev/null && up "$pid"; then
		echo "$NAME is ready, pid $pid"
		exit 0
	fi
	sleep 0.1
done
echo "$NAME is not ready after 30 s:" >&2
tail -n 5 "$log" >&2
kill -KILL "$pid" 2>/dev/null || true
rm -f "$pid_file"
exit 1
