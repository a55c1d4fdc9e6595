"""The AWS SDK and how it fails. Nothing here knows the tables."""
