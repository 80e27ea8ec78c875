"""Checks k8s/ without a cluster: schemas, references, and what every pod must have. No manifest lives here."""
