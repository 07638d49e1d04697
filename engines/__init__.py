"""Engines ahead of time: built for named GPUs, checked against PyTorch, measured. Not installed."""
