"""What every service process needs: settings, logs, metrics, its web application, its start."""
