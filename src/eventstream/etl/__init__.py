"""Runs of the hourly ETL, started and awaited."""
