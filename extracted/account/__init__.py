"""Account: users, their settings and e-mail addresses, teams, purchases. No login: that stays with the monolith."""
