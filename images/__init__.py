"""Builds the images of this repository: with Docker, or with Podman, which needs neither a daemon nor a registry."""
