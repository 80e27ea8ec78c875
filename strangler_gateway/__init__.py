"""The gateway: sends each request to the monolith or to an extracted service, as routes.yaml says."""
