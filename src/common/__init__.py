"""The shared layer: models, rules and adapters that every function uses."""
