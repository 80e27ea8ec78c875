"""What the monolith calls: a mail server and the runner, and what a failure of these does to the process."""
