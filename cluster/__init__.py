"""A real Kubernetes node on this machine: its programs, its network namespace, its daemons, and images for it."""
