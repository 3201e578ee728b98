#!/bin/sh
# Print the path of Chromium or Chrome. Installs Debian's when there is none and this is root.
# Usage: scripts/sdks/chromium.sh      (CHROMIUM names another)
set -eu

find_one() {
    for candidate in "${CHROMIUM:-}" chromium chromium-browser google-chrome google-chrome-stable; do
        [ -n "$candidate" ] || continue
        if found=$(command -v "$candidate"); then
            echo "$found"
            return 0
        fi
    done
    return 1
}

find_one && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "sdks: installing Chromium with apt-get (once) ..." >&2
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq >&2 || true
    apt-get install -y -qq --no-install-recommends chromium >&2 || true
    find_one && exit 0
fi
echo "the browser tests need Chromium, and there is none on PATH: install it" \
    "(Debian: apt-get install chromium), or set CHROMIUM to the path of Chromium or Chrome" >&2
exit 1
