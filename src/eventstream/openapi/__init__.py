"""The description of the HTTP API, made from what the functions import: never deployed."""
