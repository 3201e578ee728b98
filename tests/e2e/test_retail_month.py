"""A real month of a real shop, when the file is there: every line, every hour, every customer."""

from __future__ import annotations

import csv
import gzip
import os
import sys
import time
from pathlib import Path

import pytest

from e2e.conftest import MakePipeline
from e2e.local_pipeline import ROOT
from e2e.rows import expected

pytestmark = pytest.mark.e2e

MAPPING = ROOT / "examples" / "online-retail.toml"
NAME = "online-retail-2011-11.csv.gz"
RETAIL = Path(os.environ.get("EVENTSTREAM_RETAIL_CSV", str(ROOT.parent / "shared" / "data" / NAME)))


@pytest.mark.skipif(
    not RETAIL.is_file(),
    reason=f"there is no {NAME}: name one in EVENTSTREAM_RETAIL_CSV (docs/cli.md says where from)",
)
def test_a_real_month_is_counted_as_its_file_says(pipeline: MakePipeline) -> None:
    with gzip.open(RETAIL, "rt", newline="") as file:
        rows = list(csv.DictReader(file))
    wanted = expected(rows, "InvoiceDate", "CustomerID", "Quantity")
    running = pipeline(BatchWindowSeconds="1", MaxEventAgeHours="200000")
    running.start()

    started = time.monotonic()
    report = running.must("load", str(RETAIL), "-m", str(MAPPING), "--json").json
    running.wait_for_lake(len(rows), timeout_s=600.0)
    took_s = time.monotonic() - started
    hourly = running.hours("2011-11-01T00", "2011-12-01T00")

    assert (report["accepted"], report["bad_rows"]) == (len(rows), 0)
    assert hourly == wanted
    sys.stdout.write(
        f"\n{len(rows)} events: accepted at {report['events_per_second']:.0f}/s, "
        f"in the lake after {took_s:.1f} s: {len(rows) / took_s:.0f}/s the whole path\n"
    )
