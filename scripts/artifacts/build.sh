#!/bin/sh
# Build the functions and the layer for deployment, as `sam build` does, with two things added:
# - every wheel is checked against the hashes in src/*/requirements.txt. `sam build` checks only
#   those of the machine it runs on, so the wheels are fetched first and it may use no others;
# - byte code is compiled in. `sam build` ships none, which more than doubles a cold start.
# Usage: scripts/artifacts/build.sh [arm64|x86_64] [build folder]      (default: arm64 .aws-sam/build)
set -eu
cd "$(dirname "$0")/../.."
architecture=${1:-arm64}
folder=${2:-.aws-sam/build}

case $architecture in
    arm64) machine=aarch64 ;;
    x86_64) machine=x86_64 ;;
    *)
        echo "build: the architecture must be arm64 or x86_64, not $architecture" >&2
        exit 2
        ;;
esac

scripts/artifacts/tools.sh
PATH=$PWD/.tools/bin:$PATH
export PATH SAM_CLI_TELEMETRY=0 PIP_DISABLE_PIP_VERSION_CHECK=1

# Older ones ignore ParentPackages, and every function would fail at its first import.
python - <<'PYTHON'
from importlib.metadata import version

found = tuple(int(part) for part in version("aws-sam-cli").split(".")[:2])
if found < (1, 145):
    raise SystemExit(f"build: SAM CLI {version('aws-sam-cli')} is too old, 1.145 is needed")
PYTHON

wheels=$PWD/.aws-sam/wheels
for requirements in src/*/requirements.txt; do
    [ -s "$requirements" ] || continue
    echo "build: fetching the wheels of $requirements" >&2
    # This machine's, which `sam build` looks at first, and those of the functions' machine.
    python -m pip download --quiet --require-hashes --no-deps --only-binary :all: \
        --dest "$wheels" --requirement "$requirements"
    python -m pip download --quiet --require-hashes --no-deps --only-binary :all: \
        --python-version 3.12 --implementation cp \
        --platform "manylinux2014_$machine" --platform "manylinux_2_17_$machine" \
        --platform "manylinux_2_28_$machine" --platform "manylinux_2_34_$machine" \
        --dest "$wheels" --requirement "$requirements"
done

PIP_NO_INDEX=1 PIP_FIND_LINKS=$wheels \
    sam build --build-dir "$folder" --parameter-overrides "Architecture=$architecture"

# Paths as on Lambda, so that stack traces name them; unchecked, since a zip keeps no exact times.
# A nested application has a folder of its own, with its template in it.
for built in "$folder"/*/ "$folder"/*/*/; do
    built=${built%/}
    { [ -f "${built%/*}/template.yaml" ] && [ ! -f "$built/template.yaml" ]; } || continue
    case $built in
        */CommonLayer) root=$built/python target=/opt/python ;;
        *) root=$built target=/var/task ;;
    esac
    python -m compileall -q -j 0 --invalidation-mode unchecked-hash -s "$root" -p "$target" "$root"
done
echo "build: $folder is ready for $architecture" >&2
