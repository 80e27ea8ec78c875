"""Users, their settings and e-mail addresses, sign-up. Nothing about teams or purchases."""
