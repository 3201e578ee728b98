#!/bin/sh
# Make .tools: the SAM CLI on Python 3.12, in an environment of its own because it pins boto3.
# Usage: scripts/artifacts/tools.sh      (does nothing when .tools fits requirements/sam.txt)
set -eu
cd "$(dirname "$0")/../.."

wanted=$(cksum < requirements/sam.txt)
if [ -x .tools/bin/sam ] && [ "$(cat .tools/locked 2>/dev/null)" = "$wanted" ]; then
    exit 0
fi
python=$(scripts/artifacts/python312.sh)
echo "tools: installing the SAM CLI into .tools, on $("$python" --version) (once) ..." >&2
rm -rf .tools
"$python" -m venv .tools
# The lock is complete, so nothing is resolved here; `pip check` proves that it was.
.tools/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps \
    --requirement requirements/sam.txt
.tools/bin/python -m pip check >&2
echo "$wanted" > .tools/locked
