"""The logger and the metrics of every function, named by Powertools' own variables."""

from __future__ import annotations

from aws_lambda_powertools import Logger, Metrics

logger = Logger()
metrics = Metrics()

__all__ = ["logger", "metrics"]
