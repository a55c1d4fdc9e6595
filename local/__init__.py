"""What `make run` does: an emulator of AWS on this machine, the real template deployed to it, and demo data in it."""
