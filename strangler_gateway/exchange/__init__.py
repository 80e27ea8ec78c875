"""The record that travels with a request, and the answers and errors that end it. Plain values."""
