"""What `strangler check` looks for: faults that refuse a file, and warnings that do not."""
