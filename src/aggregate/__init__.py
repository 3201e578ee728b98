"""The hourly ETL: exact figures from the lake, anomalies, alerts."""
