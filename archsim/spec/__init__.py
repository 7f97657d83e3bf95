"""What a user writes: the pydantic models, the strict YAML reader, names and overrides."""
