"""The stream consumer: lake objects, hour marks, hot metrics."""
