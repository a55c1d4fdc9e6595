"""The requests of callers: pydantic models in, 422 entries out."""
