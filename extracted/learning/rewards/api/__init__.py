"""What operators read of rewards."""
