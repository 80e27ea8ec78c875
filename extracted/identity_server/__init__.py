"""PolyCode's realm in Keycloak, and the one module that speaks to Keycloak. No service's rules."""
