"""Training of the generators: data, losses, loop, evaluation, export. Not installed; run `python -m training`."""
