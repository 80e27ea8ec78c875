"""Account: users, their settings and teams. Extracted so far: all but sign-up, login, e-mails and membership."""
