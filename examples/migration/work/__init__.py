"""What users do: each activity is a small conversation with every answer known in advance, whoever serves it."""
