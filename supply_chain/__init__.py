"""What the project is made of, and whether that may be shipped: locks, licences, advisories, builds, provenance.

It reads the repository and what is installed; it imports nothing of the gateway or the services.
"""
