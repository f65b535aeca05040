# shellcheck shell=bash
# Sourced by start.sh and stop.sh.

# up PID: it runs. One that was killed stays a zombie until somebody asks for its status.
up() {
	if [[ -r /proc/self/stat ]]; then
		local stat
		stat=$(cat "/proc/$1/stat" 2>/dev/null) && [[ $stat != *') Z '* ]]
	else
		local state
		state=$(ps -o stat= -p "$1" 2>/dev/null) && [[ $state != Z* ]]
	fi
}

# command_of PID: its command line, on one line.
command_of() {
	if [[ -r /proc/self/stat ]]; then
		tr '\0' ' ' 2>/dev/null <"/proc/$1/cmdline" || true
	else
		ps -o args= -p "$1" 2>/dev/null || true
	fi
}

# ready PORT: /readyz on loopback says 200.
ready() (
	line=
	exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 1
	printf 'GET /readyz HTTP/1.0\r\n\r\n' >&3
	IFS= read -r -t 2 line <&3
	[[ $line == *' 200 '* ]]
)
