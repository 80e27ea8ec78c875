"""The messaging port on tables of an SQLite file that the processes of one host share."""
