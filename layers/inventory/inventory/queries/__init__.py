"""What callers read: stock levels, lists of adjustments, exports."""
