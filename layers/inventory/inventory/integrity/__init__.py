"""Whether the ledger adds up: the proof of one stock item, and the audit of all tables."""
