"""The questions of readers: levels, lists of adjustments, exports."""
