"""The reading side: metrics, anomalies, runs and health over HTTP."""
