"""Takes mails from the delivery queue, sends them, records the results. Knows neither SMTP nor SQL."""
