"""From a row to a provider: claiming, sending, recording the result, pace."""
