"""How long the built ingest function takes to import, beside the typical handler as sam ships it.

``sam build`` ships no byte code, so every cold start compiles what it imports; our build compiles
once (``scripts/artifacts/build.sh``). Both are what a deployment holds: ours from the build
folder, the typical one (:mod:`benchmarks.typical.imports`) with its libraries installed anew and
uncompiled, as ``sam build`` leaves them. Python 3.12, no AWS call.

Run ``python -m benchmarks.imports BUILD_FOLDER`` after ``scripts/artifacts/build.sh ARCHITECTURE
BUILD_FOLDER``. Exits 1 on a broken promise.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.measure import Ratio, report

ROUNDS = 9
_ROOT = Path(__file__).parents[1]
_TYPICAL_NEEDS = ("aws-lambda-powertools[tracer]", "pydantic", "boto3")
_TIMED = """
import sys, time
start = time.process_time()
import {module}
print(time.process_time() - start)
"""


def _python312() -> str:
    found = subprocess.run(
        ["scripts/artifacts/python312.sh"], cwd=_ROOT, capture_output=True, text=True, check=True
    )
    return found.stdout.strip()


def seconds(python: str, module: str, path: list[Path]) -> float:
    """Return the CPU seconds of one import in a fresh interpreter."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(map(str, path)),
        "PYTHONDONTWRITEBYTECODE": "1",  # as on Lambda, where the code's folder is read-only
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_XRAY_SDK_ENABLED": "true",
        "POWERTOOLS_SERVICE_NAME": "ingest",
        "POWERTOOLS_METRICS_NAMESPACE": "EventStream",
        "POWERTOOLS_TRACE_DISABLED": "false",
        "STREAM_NAME": "events",
    }
    done = subprocess.run(
        [python, "-c", _TIMED.format(module=module)],
        env=environment, stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    return float(done.stdout)


def main(build: Path) -> bool:
    """Measure and print; return whether the promise is kept."""
    python = _python312()
    with tempfile.TemporaryDirectory() as folder:
        typical = Path(folder)
        quietly = ("-qq", "--root-user-action=ignore", "--no-compile", "--target", folder)
        subprocess.run([python, "-m", "pip", "install", *quietly, *_TYPICAL_NEEDS], check=True)
        shutil.copy(_ROOT / "benchmarks" / "typical" / "imports.py", typical / "handler.py")
        ways = {
            "typical handler, as sam build ships it": ("handler", [typical]),
            "EventStream's ingest, as built": (
                "ingest.handler",
                [build / "IngestFunction", build / "CommonLayer" / "python"],
            ),
        }
        taken: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(ROUNDS):
            for name, (module, path) in ways.items():
                taken[name].append(seconds(python, module, path))
    figures = {name: statistics.median(times) * 1000 for name, times in taken.items()}
    theirs, ours = figures.values()
    promise = Ratio("EventStream / typical", ours / theirs, at_most=0.35)
    report("Import", figures, [promise], unit="ms")
    return promise.holds


if __name__ == "__main__":
    sys.exit(0 if main(Path(sys.argv[1])) else 1)
