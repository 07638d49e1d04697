"""Generators: their definitions (torch), and the model files that ship.

`files` finds and reads model files without torch; `generators` builds networks, for training and the PyTorch backend.
"""
