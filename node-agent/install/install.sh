#!/bin/sh
# Makes this machine a node of a Kedge cluster:
#   curl -fsSL https://HOST/install.sh | sudo sh -s -- --token TOKEN
# The server that gives this script out fills in the values below. Everything happens in main, called on the last line, so that a script
# that arrived in part does nothing. Safe to run again; --uninstall takes it all away.
set -eu

SERVER='@SERVER@'
VERSION='@VERSION@'
CHECKSUM_X64='@CHECKSUM_X64@'
CHECKSUM_ARM64='@CHECKSUM_ARM64@'
CA='@CA@'

LIB=/usr/local/lib/kedge
BIN=/usr/local/bin/kedge
DATA=/var/lib/kedge
UNIT=/etc/systemd/system/kedge-node.service
CONF=/etc/kedge/node.env
SYSCTL=/etc/sysctl.d/90-kedge.conf
SERVICE=kedge-node.service

token='' name='' node_ip='' pod_network='' wireguard_endpoint='' uninstall='' data_choice='' remove_packages='' scratch='' packages=''

say() { printf '%s\n' "$*"; }
ok() { printf '  ok    %s\n' "$*"; }
warn() { printf '  warn  %s\n' "$*" >&2; }
# A fault and its mend.
die() {
  printf 'error: %s\n' "$1" >&2
  [ -z "${2-}" ] || printf '       %s\n' "$2" >&2
  exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }

usage() {
  cat <<'TEXT'
Makes this machine a node of a Kedge cluster.

  --token TOKEN        a join token: kedge token create --join
  --server URL         the cluster, when the token does not say (https://HOST/clusters/NAME)
  --name NAME          the node's name (default: this machine's)
  --node-ip IP         the address that other nodes reach this one by
  --pod-network NET    auto, vxlan or wireguard, the same on all machines: kedge node --help
  --wireguard-endpoint HOST[:PORT]
                       where others reach this machine by WireGuard; without it it dials out alone
  --uninstall          take the daemon, its containers, rules and files away again
    --keep-data          … and keep /var/lib/kedge: a later install goes on as this node
    --remove-data        … with /var/lib/kedge, keys and volumes in it
    --remove-packages    … with the packages that the installation brought
TEXT
}

parse() {
  while [ $# -gt 0 ]; do
    case $1 in
      --token | --server | --name | --node-ip | --pod-network | --wireguard-endpoint)
        [ $# -ge 2 ] || die "$1 wants a value"
        case $1 in
          --token) token=$2 ;;
          --server) SERVER=$2 ;;
          --name) name=$2 ;;
          --node-ip) node_ip=$2 ;;
          --pod-network) pod_network=$2 ;;
          --wireguard-endpoint) wireguard_endpoint=$2 ;;
        esac
        shift
        ;;
      --token=*) token=${1#*=} ;;
      --server=*) SERVER=${1#*=} ;;
      --name=*) name=${1#*=} ;;
      --node-ip=*) node_ip=${1#*=} ;;
      --pod-network=*) pod_network=${1#*=} ;;
      --wireguard-endpoint=*) wireguard_endpoint=${1#*=} ;;
      --uninstall) uninstall=yes ;;
      --keep-data) data_choice=keep ;;
      --remove-data) data_choice=remove ;;
      --remove-packages) remove_packages=yes ;;
      -h | --help)
        usage
        exit 0
        ;;
      *) die "unknown flag $1" 'see --help' ;;
    esac
    shift
  done
}

# --- what the machine must bring ---

check_machine() {
  [ "$(uname -s)" = Linux ] || die "this is $(uname -s): nodes are Linux machines"
  [ "$(id -u)" = 0 ] || die 'this needs root' 'curl … | sudo sh -s -- --token TOKEN'
  case $(uname -m) in
    x86_64 | amd64) arch=x64 checksum=$CHECKSUM_X64 ;;
    aarch64 | arm64) arch=arm64 checksum=$CHECKSUM_ARM64 ;;
    *) die "no build for $(uname -m)" 'nodes are x86_64 or aarch64' ;;
  esac
  [ -n "$checksum" ] || die "the server has no build of $VERSION for $arch"
  kernel=$(uname -r)
  major=${kernel%%.*} rest=${kernel#*.}
  minor=${rest%%[!0-9]*}
  if [ "$major" -lt 5 ] || { [ "$major" -eq 5 ] && [ "$minor" -lt 10 ]; }; then
    die "kernel $kernel is too old" '5.10 or newer is needed: Debian 12, Ubuntu 22.04, Rocky 9 or Fedora have it'
  fi
  ok "kernel $kernel, $arch"
  glibc=$(getconf GNU_LIBC_VERSION 2>/dev/null | sed 's/^glibc //') || glibc=''
  [ -n "$glibc" ] || die 'no glibc here (musl?)' 'use a distribution with glibc 2.28 or newer'
  gmajor=${glibc%%.*} gminor=${glibc#*.}
  [ "$gmajor" -gt 2 ] || [ "${gminor%%.*}" -ge 28 ] || die "glibc $glibc is too old" '2.28 or newer is needed'
  [ -d /run/systemd/system ] || die 'systemd does not run here' 'without it, start the daemon yourself: kedge node --server URL --token TOKEN'
  check_cgroups
  check_memory
  [ ! -d "$DATA/server" ] || die "a cluster of \`kedge up\` lives in $DATA" 'kedge down --purge removes it'
}

check_cgroups() {
  if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
    for c in cpu memory pids; do
      grep -qw "$c" /sys/fs/cgroup/cgroup.controllers || die "the cgroup controller $c is missing" 'look for cgroup_disable= in /proc/cmdline, and start the kernel without it'
    done
    ok 'cgroup v2 with cpu, memory and pids'
  else
    for c in cpu memory pids; do
      awk -v c="$c" '$1 == c && $4 == 1 { found = 1 } END { exit !found }' /proc/cgroups ||
        die "the cgroup controller $c is missing" 'start the kernel with cgroup_enable=memory, or with systemd.unified_cgroup_hierarchy=1'
    done
    ok 'cgroup v1 with cpu, memory and pids'
  fi
}

check_memory() {
  memory=$(awk '/^MemTotal/ { print int($2 / 1024) }' /proc/meminfo)
  [ "$memory" -ge 400 ] || die "$memory MB of memory is too little" '512 MB or more'
  disk=$(df -Pm /var/lib | awk 'NR == 2 { print $4 }')
  [ "$disk" -ge 1024 ] || die "$disk MB are free below /var/lib" '1 GB or more is needed for the daemon and images'
  ok "$memory MB of memory, $disk MB of disk"
}

check_ports() {
  have ss || return 0
  taken=$(ss -Hlntu 2>/dev/null | awk '{ n = split($5, a, ":"); if (a[n] >= 30000 && a[n] <= 32767) print a[n] }' | sort -u | tr '\n' ' ')
  if [ -n "$taken" ]; then
    warn "something listens on ${taken}: a service that is given this node port (30000 to 32767) would hide it"
  else
    ok 'node ports 30000 to 32767 are free'
  fi
}

# --- the server ---

get() { # URL FILE
  if have curl; then
    if [ -n "$CA" ]; then curl -fsS --retry 3 --connect-timeout 10 --cacert "$scratch/ca.crt" -D "$scratch/headers" -o "$2" "$1"; else curl -fsS --retry 3 --connect-timeout 10 -D "$scratch/headers" -o "$2" "$1"; fi
  else
    if [ -n "$CA" ]; then wget -q -S --tries 3 --ca-certificate "$scratch/ca.crt" -O "$2" "$1" 2>"$scratch/headers"; else wget -q -S --tries 3 -O "$2" "$1" 2>"$scratch/headers"; fi
  fi
}

check_server() {
  case $SERVER in
    https://*) ;;
    *) die "the server is ${SERVER:-not known}" 'give --server https://HOST' ;;
  esac
  # Downloads lie at the root, wherever the cluster is.
  root=$(printf %s "$SERVER" | sed 's#^\(https://[^/]*\).*#\1#')
  [ -z "$CA" ] || printf '%s\n' "$CA" >"$scratch/ca.crt"
  have curl || have wget || die 'neither curl nor wget is here' 'install one of them'
  if ! get "$root/healthz" "$scratch/health" 2>"$scratch/fault"; then
    host=$(printf %s "$root" | sed 's#^https://##; s#:[0-9]*$##')
    getent hosts "$host" >/dev/null 2>&1 || die "the name $host does not resolve" 'look at /etc/resolv.conf, and whether port 53 is open'
    die "$root does not answer: $(tail -n 1 "$scratch/fault" "$scratch/headers" 2>/dev/null | tail -n 1)" 'outgoing TCP to this address must be open; nothing has to come in'
  fi
  ok "$root answers"
  theirs=$(sed -n 's/^ *[Dd]ate: *//p' "$scratch/headers" | tail -n 1 | tr -d '\r')
  if [ -n "$theirs" ]; then
    skew=$(($(date +%s) - $(date -d "$theirs" +%s)))
    [ "$skew" -ge 0 ] || skew=$((-skew))
    [ "$skew" -lt 60 ] || die "this machine's clock is $skew s off" 'set it: timedatectl set-ntp true (or install chrony)'
    if [ "$skew" -lt 5 ]; then ok 'the clock is right'; else warn "this machine's clock is $skew s off: timedatectl set-ntp true"; fi
  fi
}

# --- packages ---

manager() {
  for m in apt-get dnf yum zypper; do
    if have "$m"; then
      echo "$m"
      return
    fi
  done
}

install_packages() { # NAME…
  [ $# -gt 0 ] || return 0
  say "installing $*"
  pm=$(manager)
  case $pm in
    apt-get)
      export DEBIAN_FRONTEND=noninteractive
      { apt-get update -qq && apt-get install -y -qq --no-install-recommends "$@"; } >"$scratch/packages.log" 2>&1 || package_fault
      ;;
    dnf | yum) "$pm" install -y -q "$@" >"$scratch/packages.log" 2>&1 || package_fault ;;
    zypper) zypper --non-interactive --quiet install "$@" >"$scratch/packages.log" 2>&1 || package_fault ;;
    *) die "no package manager that is known here; missing: $*" 'install these yourself, then run this again' ;;
  esac
  # What came with this installation, for --remove-packages.
  mkdir -p "$LIB"
  for p in "$@"; do grep -qxF "$p" "$LIB/packages" 2>/dev/null || echo "$p" >>"$LIB/packages"; done
}
package_fault() {
  tail -n 15 "$scratch/packages.log" >&2
  die 'the packages could not be installed: see above'
}

# The engine goes by several names; the first that the distribution has.
engine_package() {
  case $(manager) in
    apt-get) echo docker.io ;;
    dnf | yum)
      for p in moby-engine docker-ce; do
        if "$(manager)" -q list "$p" >/dev/null 2>&1; then
          echo "$p"
          return
        fi
      done
      ;;
    zypper) echo docker ;;
  esac
}

wanted_packages() {
  packages=''
  if ! have dockerd; then
    engine=$(engine_package)
    [ -n "$engine" ] || die 'this distribution brings no Docker engine' "add Docker's own package source (docs.docker.com/engine/install), then run this again"
    packages="$packages $engine"
    # Without its parser no container starts on a kernel that has AppArmor.
    if [ -d /sys/kernel/security/apparmor ] && ! have apparmor_parser; then packages="$packages apparmor"; fi
  fi
  if ! [ -e /opt/cni/bin/ptp ] && ! [ -e /usr/lib/cni/ptp ] && ! [ -e /usr/libexec/cni/ptp ]; then packages="$packages containernetworking-plugins"; fi
  have nft || packages="$packages nftables"
  have iptables || packages="$packages iptables"
  case $(manager) in
    dnf | yum)
      have ip || packages="$packages iproute"
      have conntrack || packages="$packages conntrack-tools"
      ;;
    *)
      have ip || packages="$packages iproute2"
      have conntrack || packages="$packages conntrack"
      ;;
  esac
  have haproxy || packages="$packages haproxy"
  if [ "$pod_network" = wireguard ]; then
    have wg || packages="$packages wireguard-tools"
    # Where the kernel has none, a program does the same.
    have wireguard-go || modprobe -q wireguard 2>/dev/null || [ -d /sys/module/wireguard ] || packages="$packages wireguard-go"
  fi
  have gzip || packages="$packages gzip"
}

# It is the daemon's to start, when there is an ingress: the service that the package brings would only be in its way.
rest_haproxy() {
  case " $packages " in
    *" haproxy "*) systemctl disable -q --now haproxy >/dev/null 2>&1 || true ;;
  esac
}

# A Docker of our own making keeps containers through its own restarts and upgrades.
configure_docker() {
  case " $packages " in
    *" docker.io "* | *" moby-engine "* | *" docker-ce "* | *" docker "*) ;;
    *) return 0 ;;
  esac
  [ ! -e /etc/docker/daemon.json ] || return 0
  mkdir -p /etc/docker "$LIB"
  printf '{ "live-restore": true }\n' >/etc/docker/daemon.json
  : >"$LIB/docker-configured"
}

start_docker() {
  if ! systemctl is-active -q docker; then
    systemctl enable -q --now docker >"$scratch/docker.log" 2>&1 || {
      journalctl -u docker -n 10 --no-pager 2>/dev/null >&2 || true
      die 'Docker does not start: see above'
    }
  fi
  docker info >/dev/null 2>&1 || die 'Docker runs, but does not answer' 'journalctl -u docker'
  ok "Docker $(docker version -f '{{.Server.Version}}' 2>/dev/null)"
}

# --- the daemon ---

put_binary() {
  target=$LIB/kedge-$VERSION
  mkdir -p "$LIB"
  if [ -x "$target" ] && "$target" version --client 2>/dev/null | grep -qF "+kedge.$VERSION"; then
    ok "kedge $VERSION is here already"
  else
    say "fetching kedge $VERSION"
    get "$root/downloads/$VERSION/kedge-linux-$arch.gz" "$scratch/kedge.gz" || die "the download failed" "$root/downloads/$VERSION/kedge-linux-$arch.gz"
    found=$(sha256sum "$scratch/kedge.gz" | cut -d' ' -f1)
    [ "$found" = "$checksum" ] || die "the download's checksum is $found, not $checksum" 'something on the way changed it: run this again, from another network if it stays'
    gzip -dc "$scratch/kedge.gz" >"$target.part"
    chmod 755 "$target.part"
    "$target.part" version --client >/dev/null || die 'the daemon does not start on this machine'
    mv -f "$target.part" "$target"
    ok "kedge $VERSION, checksum $checksum"
  fi
  ln -sfn "kedge-$VERSION" "$LIB/current.new"
  mv -Tf "$LIB/current.new" "$LIB/current"
  ln -sfn "$LIB/current" "$BIN"
  rm -f "$LIB/upgrade" "$LIB/upgrade-failed"
}

put_service() {
  mkdir -p "$(dirname "$CONF")"
  flags=''
  [ -z "$node_ip" ] || flags="$flags --node-ip $node_ip"
  [ -z "$pod_network" ] || flags="$flags --pod-network $pod_network"
  [ -z "$wireguard_endpoint" ] || flags="$flags --wireguard-endpoint $wireguard_endpoint"
  flags=${flags# }
  if [ -n "$flags" ] || [ ! -f "$CONF" ]; then printf 'KEDGE_NODE_FLAGS=%s\n' "$flags" >"$CONF.new" && mv -f "$CONF.new" "$CONF"; fi
  printf 'net.ipv4.ip_forward = 1\n' >"$SYSCTL"
  sysctl -q -p "$SYSCTL" 2>/dev/null || true
  # Kept by hand of the old version: puts it back when a new one does not come up.
  cat >"$LIB/guard.new" <<'GUARD'
#!/bin/sh
# Before every start: a version on probation that was started twice and did not come up makes room for the one before it.
cd "$(dirname "$0")" || exit 0
[ -f upgrade ] || exit 0
from=$(sed -n 's/^from=//p' upgrade) to=$(sed -n 's/^to=//p' upgrade) starts=$(sed -n 's/^starts=//p' upgrade)
starts=$((${starts:-0} + 1))
if [ "$starts" -le 2 ] || [ ! -x "kedge-$from" ]; then
  printf 'from=%s\nto=%s\nstarts=%s\n' "$from" "$to" "$starts" >upgrade.new && mv -f upgrade.new upgrade
  exit 0
fi
echo "kedge $to did not come up: back to $from"
printf 'to=%s\nreason=it did not come up on this machine and was rolled back\n' "$to" >upgrade-failed
ln -sfn "kedge-$from" current.new && mv -Tf current.new current
rm -f upgrade
GUARD
  chmod 755 "$LIB/guard.new"
  mv -f "$LIB/guard.new" "$LIB/guard"
  cat >"$scratch/unit" <<UNIT
[Unit]
Description=Kedge node daemon
Documentation=$root/
After=network-online.target docker.service
Wants=network-online.target docker.service

[Service]
Type=notify
NotifyAccess=all
Environment=KEDGE_LIB=$LIB
Environment=MALLOC_ARENA_MAX=1 MALLOC_MMAP_THRESHOLD_=65536 MALLOC_TRIM_THRESHOLD_=131072
EnvironmentFile=-$CONF
ExecStartPre=-$LIB/guard
ExecStart=$LIB/current node --data $DATA \$KEDGE_NODE_FLAGS
Restart=always
RestartSec=1
TimeoutStartSec=60
TimeoutStopSec=20
WatchdogSec=60
# Containers are Docker's; what the daemon itself has under way may end with it.
KillMode=control-group
LimitNOFILE=1048576
TasksMax=4096
MemoryMax=1G
OOMScoreAdjust=-500
SyslogIdentifier=kedge-node

[Install]
WantedBy=multi-user.target
UNIT
  changed=''
  if ! cmp -s "$scratch/unit" "$UNIT"; then
    cp "$scratch/unit" "$UNIT"
    systemctl daemon-reload
    changed=yes
  fi
}

join() {
  if [ -f "$DATA/identity.json" ] && [ -z "$token" ]; then
    ok "this machine is node $(sed -n 's/^ *"node": *"\(.*\)",*$/\1/p' "$DATA/identity.json") already"
    return
  fi
  [ -n "$token" ] || die 'a token is missing' 'kedge token create --join makes one; then: … | sudo sh -s -- --token TOKEN'
  set -- --data "$DATA" --server "$SERVER" --token "$token"
  [ -z "$name" ] || set -- "$@" --name "$name"
  [ -z "$CA" ] || set -- "$@" --ca-file "$scratch/ca.crt"
  "$LIB/current" node join "$@" || die 'joining did not work: see above'
}

start_service() {
  systemctl enable -q "$SERVICE"
  running=$(readlink -f "/proc/$(systemctl show -p MainPID --value "$SERVICE")/exe" 2>/dev/null || true)
  if [ "$running" = "$(readlink -f "$LIB/current")" ] && [ -z "$changed" ]; then
    ok 'the daemon runs already'
  else
    systemctl restart "$SERVICE" || {
      journalctl -u "$SERVICE" -n 20 --no-pager >&2 || true
      die 'the daemon does not start: see above'
    }
  fi
  if ! "$LIB/current" node wait --data "$DATA" --timeout 30; then
    journalctl -u "$SERVICE" -n 20 --no-pager >&2 || true
    die 'the node did not become Ready within 30 s: see above' 'kedge node doctor looks for the cause'
  fi
}

# --- and away again ---

ask_data() {
  [ -z "$data_choice" ] || return 0
  data_choice=keep
  [ -d "$DATA" ] || return 0
  if { : >/dev/tty; } 2>/dev/null; then
    printf 'Remove %s too, with this node'"'"'s key and the volumes of its pods? [y/N] ' "$DATA" >/dev/tty
    read -r answer </dev/tty || answer=''
    case $answer in [yY]*) data_choice=remove ;; esac
  else
    say "$DATA is kept (--remove-data removes it)"
  fi
}

remove_all() {
  [ "$(id -u)" = 0 ] || die 'this needs root'
  ask_data
  if [ -x "$LIB/current" ] && [ -f "$DATA/identity.json" ]; then
    systemctl stop -q "$SERVICE" 2>/dev/null || true
    "$LIB/current" node purge --data "$DATA" || warn 'not everything could be taken away: see above'
  fi
  systemctl disable -q --now "$SERVICE" 2>/dev/null || true
  rm -f "$UNIT" "$SYSCTL"
  systemctl daemon-reload
  systemctl reset-failed -q "$SERVICE" 2>/dev/null || true
  if [ -f "$LIB/docker-configured" ] && [ "$(cat /etc/docker/daemon.json 2>/dev/null)" = '{ "live-restore": true }' ]; then rm -f /etc/docker/daemon.json; fi
  came=$(cat "$LIB/packages" 2>/dev/null | tr '\n' ' ')
  rm -rf "$LIB" "$(dirname "$CONF")"
  [ ! -L "$BIN" ] || rm -f "$BIN"
  if [ "$data_choice" = remove ]; then
    rm -rf "$DATA"
  fi
  if [ -n "$came" ] && [ -n "$remove_packages" ]; then
    case $(manager) in
      # shellcheck disable=SC2086
      apt-get) DEBIAN_FRONTEND=noninteractive apt-get purge -y -qq --autoremove $came >/dev/null ;;
      # shellcheck disable=SC2086
      dnf | yum) "$(manager)" remove -y -q $came >/dev/null ;;
      # shellcheck disable=SC2086
      zypper) zypper --non-interactive --quiet remove $came >/dev/null ;;
    esac
    say "removed the packages $came"
  elif [ -n "$came" ]; then
    say "these packages came with the installation and stay: $came(--remove-packages removes them)"
  fi
  say 'Kedge is gone from this machine. The Node is still in the cluster: kedge node rm NAME'
}

main() {
  parse "$@"
  scratch=$(mktemp -d)
  trap 'rm -rf "$scratch"' EXIT
  if [ -n "$uninstall" ]; then
    remove_all
    return
  fi
  say "Kedge $VERSION"
  check_machine
  check_server
  check_ports
  wanted_packages
  configure_docker
  # shellcheck disable=SC2086
  install_packages $packages
  rest_haproxy
  start_docker
  put_binary
  join
  put_service
  start_service
  say "Done: kubectl get nodes shows this machine. Logs: journalctl -u kedge-node. It went wrong? kedge node doctor"
}

main "$@"
