"""Templates to messages: reads the folder, checks variables, renders. It sends and stores nothing."""
