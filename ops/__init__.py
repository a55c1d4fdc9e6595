"""The commands for people who operate a stack, the local one or one in AWS: `python -m ops --help` lists them."""
