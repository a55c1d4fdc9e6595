"""The ways in that are not HTTP, and what all ways in share: responses, telemetry, composition."""
