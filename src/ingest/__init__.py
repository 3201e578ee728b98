"""The front door: HTTP in, stream out."""
