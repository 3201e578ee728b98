#!/bin/sh
# Install Lambda's runtime interface client into .aws-sam/ric: the program that Lambda itself
# starts a Python function with. The artefact tests run built functions with it.
# Usage: scripts/artifacts/ric.sh      (does nothing when it fits requirements/ric.txt)
set -eu
cd "$(dirname "$0")/../.."

wanted=$(cksum < requirements/ric.txt)
if [ "$(cat .aws-sam/ric/locked 2>/dev/null)" = "$wanted" ]; then
    exit 0
fi
scripts/artifacts/tools.sh
rm -rf .aws-sam/ric
.tools/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps \
    --target .aws-sam/ric --requirement requirements/ric.txt
echo "$wanted" > .aws-sam/ric/locked
