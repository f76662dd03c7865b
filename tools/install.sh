#!/bin/sh
# Installs the npm dependencies (Node 24 among them) when they are missing or out of date. Used by the launcher, the tests and CI.
set -e
root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
stamp="$root/node_modules/.kedge-installed"
if [ ! -x "$root/node_modules/.bin/node" ] || [ ! -f "$stamp" ] || [ "$root/package-lock.json" -nt "$stamp" ]; then
  if ! command -v npm >/dev/null 2>&1; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
      echo "kedge: installing npm" >&2
      apt-get update -qq >&2 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends npm >&2
    else
      echo "kedge: npm is missing: install it (apt-get install npm) and run this again" >&2
      exit 1
    fi
  fi
  echo "kedge: installing dependencies" >&2
  (cd "$root" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2)
fi
"$root/node_modules/.bin/node" "$root/tools/generate-schema.ts" >&2
"$root/node_modules/.bin/node" --no-warnings "$root/tools/build-dashboard.ts" >&2
touch "$stamp"
