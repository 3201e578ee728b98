"""Bodies of client libraries and of standards, each in a module that is imported when needed."""
