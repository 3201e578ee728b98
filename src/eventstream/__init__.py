"""The command line and the local runtime; never deployed."""
