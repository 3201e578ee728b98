"""The pipeline on one machine, from the real template."""
