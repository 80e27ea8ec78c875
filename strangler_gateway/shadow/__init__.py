"""Asks the service too, after the user has been answered, and compares. Nothing here touches the user's answer."""
