"""What the reading commands share."""
