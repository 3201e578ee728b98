#!/bin/sh
# Run the SAM CLI of .tools, with the Python it builds with first on PATH.
# Usage: scripts/artifacts/sam.sh <arguments of sam>
set -eu
cd "$(dirname "$0")/../.."
scripts/artifacts/tools.sh
PATH=$PWD/.tools/bin:$PATH
export PATH
# Without a network the CLI would wait for its usage statistics to be refused.
export SAM_CLI_TELEMETRY="${SAM_CLI_TELEMETRY:-0}"
exec sam "$@"
