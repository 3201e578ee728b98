"""The same functions as a good tutorial writes them: what ours are compared with."""
