"""The HTTP API: services ask for mails, operators query and act. Only this folder knows the web framework."""
