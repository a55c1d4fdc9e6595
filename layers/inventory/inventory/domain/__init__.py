"""What an adjustment is, and every rule about it. Standard library only."""
