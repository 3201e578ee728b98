"""SQL over the lake: Athena's dialect, read-only, by DuckDB."""
