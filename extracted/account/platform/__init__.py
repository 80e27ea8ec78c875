"""What the monolith answered about itself, and to what it did not know: health, metrics, 404. It reads no data."""
