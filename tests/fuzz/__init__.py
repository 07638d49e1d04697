"""Parsers of our own, given what no program of ours has written.

`python -m tests.fuzz NAME [OPTIONS OF LIBFUZZER]` runs one of them under atheris, where that is installed
(`pip install atheris`); test_parsers.py runs all of them on seeded mutants for a few seconds.
"""
