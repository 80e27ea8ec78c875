"""The shop's HTTP edge: `application` for users, `internal` for Account and operators. It knows no database."""
