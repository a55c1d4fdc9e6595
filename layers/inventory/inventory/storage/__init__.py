"""The tables: their keys and items, the one transaction that writes stock, caches and reads."""
