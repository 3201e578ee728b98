"""A real month of a real shop, when the file is there: every line, every hour, every customer.

SQL counts the whole month. The hourly ETL, which takes an hour at a time, runs over its first
week, and with ``--whole-month`` over all 720 hours.
"""

from __future__ import annotations

import csv
import gzip
import os
import sys
import time
from pathlib import Path

import pytest

from e2e.conftest import MakePipeline
from e2e.local_pipeline import EXACT, ROOT
from e2e.rows import Hourly, by_sql, expected

pytestmark = pytest.mark.e2e

MAPPING = ROOT / "examples" / "online-retail.toml"
NAME = "online-retail-2011-11.csv.gz"
RETAIL = Path(os.environ.get("EVENTSTREAM_RETAIL_CSV", str(ROOT.parent / "shared" / "data" / NAME)))


@pytest.mark.skipif(
    not RETAIL.is_file(),
    reason=f"there is no {NAME}: name one in EVENTSTREAM_RETAIL_CSV (docs/cli.md says where from)",
)
def test_a_real_month_is_counted_as_its_file_says(
    pipeline: MakePipeline, *, whole_month: bool
) -> None:
    with gzip.open(RETAIL, "rt", newline="") as file:
        rows = list(csv.DictReader(file))
    wanted = expected(rows, "InvoiceDate", "CustomerID", "Quantity")
    running = pipeline(**EXACT, MaxEventAgeHours="200000")
    running.start()

    started = time.monotonic()
    report = running.must("load", str(RETAIL), "-m", str(MAPPING), "--json").json
    running.wait_for_lake(len(rows), timeout_s=600.0)
    took_s = time.monotonic() - started

    assert (report["accepted"], report["bad_rows"]) == (len(rows), 0)
    assert by_sql(running) == wanted
    end = "2011-12-01T00" if whole_month else "2011-11-08T00"
    assert running.hours("2011-11-01T00", end) == before(end, wanted)
    sys.stdout.write(
        f"\n{len(rows)} events: accepted at {report['events_per_second']:.0f}/s, "
        f"in the lake after {took_s:.1f} s: {len(rows) / took_s:.0f}/s the whole path\n"
    )


def before(end: str, hourly: Hourly) -> Hourly:
    return {
        name: {hour: figures for hour, figures in of.items() if hour < end}
        for name, of in hourly.items()
    }
