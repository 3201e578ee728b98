"""The whole pipeline on generated traffic, every number compared."""
