"""The command line: one file a command, the argument groups that they share, and what the terminal shows."""
