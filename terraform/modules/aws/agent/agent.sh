#!/bin/bash
# What a machine on AWS does for its node, as root. Its settings are in /etc/selvedge/agent.env;
# they name secrets and hold none. Needs curl and the AWS command line, version 2.
#
#   agent prepare   before each start: volume, keys, the machine's own settings, DNS record
#   agent watch     tells the group when the node is ready, and drains it when the machine is to go
#   agent metrics   once a minute: the node's metrics to CloudWatch
set -euo pipefail

etc=${SELVEDGE_ETC:-/etc/selvedge} run=${SELVEDGE_RUN:-/run/selvedge} disks=${SELVEDGE_DISKS:-/dev/disk/by-id}
pause=${SELVEDGE_PAUSE:-5}
# shellcheck source=/dev/null
. "$etc/agent.env"
keys=$etc/keys

say() { echo "agent: $*" >&2; }

# imds PATH: the metadata service, by IMDSv2.
imds() {
	local token
	token=$(curl -fsS -m 5 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' http://169.254.169.254/latest/api/token) &&
		curl -fsS -m 5 -H "X-aws-ec2-metadata-token: $token" "http://169.254.169.254/latest/meta-data/$1"
}

# of ZONE PAIRS: what belongs to a zone in "zone=value zone=value".
of() {
	local pair
	for pair in $2; do
		[[ ${pair%%=*} != "$1" ]] || { echo "${pair#*=}"; return; }
	done
	say "nothing is given for the zone $1"
	return 1
}

# secret ARN FILE MODE OWNER: a secret's text, in one step, so that a node never reads half a file.
secret() {
	local region
	region=$(cut -d: -f4 <<<"$1")
	(umask 077 && aws secretsmanager get-secret-value --region "$region" --secret-id "$1" --query SecretString --output text >"$2.new")
	chmod "$3" "$2.new"
	chown "$4" "$2.new"
	mv "$2.new" "$2"
}

# record ACTION NAME ADDRESS: UPSERT or DELETE of an A record.
record() {
	aws route53 change-resource-record-sets --hosted-zone-id "$ZONE_ID" --change-batch \
		"{\"Changes\":[{\"Action\":\"$1\",\"ResourceRecordSet\":{\"Name\":\"$2\",\"Type\":\"A\",\"TTL\":30,\"ResourceRecords\":[{\"Value\":\"$3\"}]}}]}" >/dev/null
}

# volume ID MACHINE FOLDER: attaches a volume as soon as its last machine lets it go, and mounts it.
volume() {
	local disk=$disks/nvme-Amazon_Elastic_Block_Store_${1/-/} try
	for ((try = 0; try < 120; try++)); do
		[[ ! -e $disk ]] || break
		aws ec2 attach-volume --region "$REGION" --volume-id "$1" --instance-id "$2" --device /dev/sdf >/dev/null || true
		sleep "$pause"
	done
	[[ -e $disk ]] || { say "the volume $1 did not come"; return 1; }
	# Only a disk that has nothing is made anew: blkid ends with 2 when it finds nothing.
	local found=0
	blkid "$disk" >/dev/null || found=$?
	[[ $found != 2 ]] || mkfs.ext4 -q "$disk"
	mkdir -p "$3"
	mountpoint -q "$3" || mount "$disk" "$3"
	chown selvedge:selvedge "$3"
}

prepare() {
	local id zone address prefix
	id=$(imds instance-id)
	zone=$(imds placement/availability-zone)
	address=$(imds "$ADDRESS")
	prefix=SELVEDGE_${ROLE^^}
	install -d -m 0750 -o root -g selvedge "$keys" "$run"
	secret "$CA" "$keys/ca.pem" 0644 root
	secret "$GOSSIP_KEY" "$keys/gossip.key" 0400 selvedge
	if [[ $ROLE == core ]]; then
		volume "$(of "$zone" "$VOLUMES")" "$id" "$DATA"
		# A certificate and its key, in this order, in one secret: both settings may name one file.
		secret "$(of "$zone" "$NODES")" "$keys/node.pem" 0400 selvedge
		secret "$API_KEYS" "$keys/api.keys" 0400 selvedge
		record UPSERT "$(of "$zone" "$NAMES")" "$address"
	else
		issue "$id"
		[[ -z $TOKEN_SECRET ]] || secret "$TOKEN_SECRET" "$keys/token.secret" 0400 selvedge
		[[ -z $TLS_SECRET ]] || secret "$TLS_SECRET" "$keys/public.pem" 0400 selvedge
		[[ -z $EDGE_DOMAIN ]] || record UPSERT "$id.$EDGE_DOMAIN" "$(imds public-ipv4)"
	fi
	{
		echo "${prefix}_ADVERTISE_HOST=$address"
		echo "${prefix}_ZONE=$zone"
		[[ -z $EDGE_DOMAIN ]] || echo "${prefix}_ADVERTISE_URL=https://$id.$EDGE_DOMAIN"
	} >"$run/node.env"
}

# issue NAME: a certificate for this edge. The CA's key is on the machine for this long only, in
# memory, and the node's process can't ask for it: its unit keeps it from the metadata service.
issue() {
	local dir
	dir=$(mktemp -d "$run/issue.XXXXXX")
	# shellcheck disable=SC2064
	trap "rm -rf '$dir'" EXIT
	cp "$keys/ca.pem" "$dir/ca.pem"
	secret "$CA_KEY" "$dir/ca-key.pem" 0400 root
	"${SELVEDGE:-/usr/local/bin/selvedge}" cert node "$dir" --role edge --name "$1" --ttl "$CERT_TTL" >/dev/null
	cat "$dir/edge-$1.pem" "$dir/edge-$1-key.pem" >"$keys/node.pem.new"
	chmod 0400 "$keys/node.pem.new"
	chown selvedge "$keys/node.pem.new"
	mv "$keys/node.pem.new" "$keys/node.pem"
	rm -rf "$dir"
}

ready() { curl -fsS -m 3 -o /dev/null http://127.0.0.1:"$ADMIN_PORT"/readyz 2>/dev/null; }

# complete HOOK MACHINE: the group need not wait any longer.
complete() {
	aws autoscaling complete-lifecycle-action --region "$REGION" --auto-scaling-group-name "$GROUP" \
		--lifecycle-hook-name "$1" --instance-id "$2" --lifecycle-action-result CONTINUE || say "the hook $1 was not completed"
}

watch() {
	local id state launched=
	id=$(imds instance-id)
	while true; do
		state=$(imds autoscaling/target-lifecycle-state) || state=unknown
		if [[ $state == Terminated ]]; then
			say 'this machine is to go: draining'
			systemctl stop selvedge
			if [[ $ROLE == core ]]; then
				umount "$DATA" || say "$DATA could not be unmounted"
				aws ec2 detach-volume --region "$REGION" --volume-id "$(of "$(imds placement/availability-zone)" "$VOLUMES")" >/dev/null || true
			elif [[ -n $EDGE_DOMAIN ]]; then
				record DELETE "$id.$EDGE_DOMAIN" "$(imds public-ipv4)" || true
			fi
			complete drain "$id"
			return
		fi
		if [[ -z $launched && $state == InService ]] && ready; then
			complete ready "$id"
			launched=yes
		fi
		sleep "$pause"
	done
}

# sum NAME [LABELS]: the sum of a metric's values in $1, of those whose labels match.
sum() { awk -v name="$1" -v labels="${2:-}" '$1 ~ "^" name "([{]|$)" && $1 ~ labels { s += $2 } END { printf "%.10g", s }' "$run/metrics.new"; }

# grown NAME [LABELS]: how much a counter has grown since the last time. A node that has started
# since counts from 0.
grown() {
	local now before
	now=$(sum "$@")
	before=$(awk -v key="$1${2:-}" '$1 == key { print $2 }' "$run/counters" 2>/dev/null || true)
	echo "$1${2:-} $now" >>"$run/counters.new"
	awk -v now="$now" -v before="${before:-$now}" 'BEGIN { printf "%.10g", now < before ? now : now - before }'
}

metrics() {
	local up=0 data=()
	if ready; then up=1; fi
	: >"$run/counters.new"
	add() { data+=("MetricName=$1,Value=$2,Dimensions=[{Name=AutoScalingGroupName,Value=$GROUP}]"); }
	add Ready "$up"
	if curl -fsS -m 10 http://127.0.0.1:"$ADMIN_PORT"/metrics >"$run/metrics.new"; then
		if [[ $ROLE == edge ]]; then
			add EdgeSockets "$(sum selvedge_edge_sockets)"
			add EdgeLoad "$(sum selvedge_edge_load)"
			add EdgeGaps "$(grown selvedge_edge_gaps_total)"
			add EdgeFramesDelivered "$(grown selvedge_edge_frames_delivered_total)"
		else
			add CorePublishes "$(grown selvedge_core_publishes_total)"
			add CorePublishErrors "$(grown selvedge_core_publishes_total 'result="(unavailable|error)"')"
			add OceanBytes "$(grown selvedge_link_bytes_total 'scope="ocean"')"
		fi
		add CertDays "$(awk -v end="$(sum selvedge_cert_expiry_timestamp_seconds)" -v now="$(date +%s)" 'BEGIN { printf "%.2f", (end - now) / 86400 }')"
		mv "$run/counters.new" "$run/counters"
	fi
	aws cloudwatch put-metric-data --region "$REGION" --namespace Selvedge --metric-data "${data[@]}"
}

case ${1:-} in
prepare | watch | metrics) "$1" ;;
*)
	say "use agent prepare, watch or metrics"
	exit 2
	;;
esac
