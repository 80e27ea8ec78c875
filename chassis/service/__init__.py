"""What every service process needs: logs, metrics, web application, start-up. No business word may stand here."""
