#!/bin/sh
# `npm test`: installs what the tests need and runs them all. The last line counts what passed, failed and was skipped.
set -e
root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
cd "$root"
sh tools/install.sh
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  missing=
  have() { command -v "$1" >/dev/null 2>&1 || [ -e "$1" ]; }
  have dockerd || missing="$missing docker.io"
  have /usr/lib/cni/ptp || missing="$missing containernetworking-plugins"
  have nft || missing="$missing nftables"
  have conntrack || missing="$missing conntrack"
  have iptables || missing="$missing iptables"
  have ip || missing="$missing iproute2"
  have /bin/busybox || missing="$missing busybox-static"
  have wget || missing="$missing wget"
  have openssl || missing="$missing openssl"
  have haproxy || missing="$missing haproxy"
  have nginx || missing="$missing nginx-light"
  have redis-server || missing="$missing redis-server"
  have debootstrap || missing="$missing debootstrap"
  have /usr/lib/python3/dist-packages/kubernetes || missing="$missing python3-kubernetes"
  have docker-registry || missing="$missing docker-registry"
  have htpasswd || missing="$missing apache2-utils"
  have wg || missing="$missing wireguard-tools"
  have wireguard-go || missing="$missing wireguard-go"
  have mkfs.ext4 || missing="$missing e2fsprogs"
  have faketime || missing="$missing faketime"
  have promtool || missing="$missing prometheus"
  have chromium || missing="$missing chromium"
  have kubectl || missing="$missing kubernetes-client"
  if [ -n "$missing" ]; then
    echo "installing for the tests:$missing" >&2
    apt-get update -qq >&2
    # In this run level the packages do not start their services: only the programs are wanted, for test images.
    RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >&2
  fi
fi
exec node_modules/.bin/node --no-warnings tools/run-tests.ts "$@"
