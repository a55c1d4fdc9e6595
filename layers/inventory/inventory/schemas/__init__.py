"""What callers may send: pydantic models in, 422 entries out."""
