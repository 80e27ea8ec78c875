"""Contents: trees of components and validators, and their routes. They know no module."""
