"""The wire format of all services, byte for byte the monolith's (Express, Nest). It knows no service and no store."""
