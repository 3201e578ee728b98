"""What could not be processed, looked at, mended, and put on the stream again."""
