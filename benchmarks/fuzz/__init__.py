"""Damaged media through the command: mutants, runs in bounded time and memory, and what must hold for each."""
