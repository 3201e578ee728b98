#!/bin/sh
# Make .tools: the SAM CLI on Python 3.12, in an environment of its own because it pins boto3.
# Python 3.12 is the functions' runtime; `sam build` refuses any other version.
# Usage: scripts/tools.sh          (does nothing when .tools already fits requirements/sam.txt)
set -eu
cd "$(dirname "$0")/.."

is_312() {
    [ "$("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)" = 3.12 ]
}

find_python312() {
    # A pyenv shim on PATH may exist and refuse, so every candidate is run.
    for candidate in "${PYTHON312:-}" python3.12 python3 \
        "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.12*/bin/python3.12 \
        "$(uv python find 3.12 2>/dev/null || true)" \
        "$(.venv/bin/uv python find 3.12 2>/dev/null || true)"; do
        if [ -n "$candidate" ] && is_312 "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    echo "tools: no Python 3.12 on PATH, under pyenv or known to uv; install one" \
        "(pyenv install 3.12, or: uv python install 3.12) or set PYTHON312 to its path" >&2
    return 1
}

wanted=$(cksum < requirements/sam.txt)
if [ -x .tools/bin/sam ] && is_312 .tools/bin/python && [ "$(cat .tools/locked 2>/dev/null)" = "$wanted" ]; then
    exit 0
fi
python=$(find_python312)
echo "tools: making .tools with $("$python" --version) and the SAM CLI" >&2
rm -rf .tools
"$python" -m venv .tools
.tools/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/sam.txt
echo "$wanted" > .tools/locked
