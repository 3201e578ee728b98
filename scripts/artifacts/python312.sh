#!/bin/sh
# Print the path of a Python 3.12, the functions' runtime, which `sam build` insists on.
# Looks at PYTHON312, on PATH, under pyenv and at uv's; fails with a sentence when there is none.
set -eu
cd "$(dirname "$0")/../.."

# A pyenv shim on PATH may exist and refuse, so every candidate is run.
for candidate in "${PYTHON312:-}" python3.12 python3 \
    "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.12*/bin/python3.12 \
    "$(uv python find 3.12 2>/dev/null || true)" \
    "$(.venv/bin/uv python find 3.12 2>/dev/null || true)"; do
    [ -n "$candidate" ] || continue
    found=$("$candidate" -c 'import sys; print(sys.version_info[:2] == (3, 12) and sys.executable)' \
        2>/dev/null) || continue
    if [ "$found" != False ]; then
        echo "$found"
        exit 0
    fi
done
echo "no Python 3.12 on PATH, under pyenv or known to uv; install one" \
    "(pyenv install 3.12, or: uv python install 3.12) or set PYTHON312 to its path" >&2
exit 1
