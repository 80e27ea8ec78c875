"""The messaging port on an SQLite file, for the processes of one host."""
