"""What each page shows, as JSON-able values: the page, its JSON link and its updates use the same ones."""
