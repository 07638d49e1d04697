"""Decoders that really crash: code that Python runs at the start of a process, from a folder on PYTHONPATH."""

from __future__ import annotations

from pathlib import Path

HOOK = '''
import importlib.abc, importlib.util, sys

class Finder(importlib.abc.MetaPathFinder):
    """Lets `change` at a module as soon as it has been imported."""

    def __init__(self, name, change):
        self.name, self.change = name, change

    def find_spec(self, name, path, target=None):
        if name != self.name:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        run = spec.loader.exec_module

        def exec_module(module):
            run(module)
            self.change(module)

        spec.loader.exec_module = exec_module
        return spec

def crash(how):
    import ctypes, os
    if how == "SIGSEGV":
        ctypes.string_at(0)
    if how == "SIGABRT":
        os.abort()
    while True:
        pass
'''
READER = """
def change(module):
    decode = module.decode

    def crashes(stream, packet):
        if packet is not None and ({where}):
            crash({how!r})
        return decode(stream, packet)

    module.decode = crashes

sys.meta_path.insert(0, Finder("vidcolor.video.careful", change))
"""
STILLS = """
def change(module):
    module.read_still = lambda source: crash({how!r})

sys.meta_path.insert(0, Finder("vidcolor.stills.image", change))
"""


def crashing(folder: Path, how: str, *, where: str = "", still: bool = False) -> str:
    """PYTHONPATH for processes in which the decoder of films crashes (SIGSEGV, SIGABRT) or never ends ("hang").

    `where` is an expression of Python, true for a `packet` of a `stream` that it crashes on; with `still` it is the
    decoder of stills.
    """
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(HOOK + (STILLS if still else READER).format(where=where, how=how))
    return str(folder)
