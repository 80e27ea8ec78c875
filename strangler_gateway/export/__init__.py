"""The road out: the table as the configuration of another proxy, and what that proxy cannot do. Pure; reads no file."""
