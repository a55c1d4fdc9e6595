"""What developers run: it writes the files that are generated, and installs what make needs."""
