"""Decoders that really crash: code that Python runs at the start of a process, from a folder on PYTHONPATH."""

from __future__ import annotations

from pathlib import Path

HOOK = """
import importlib.abc, importlib.util, os, sys

class Finder(importlib.abc.MetaPathFinder):
    '''Lets `change` at a module as soon as it has been imported.'''

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
    import ctypes
    if how == "SIGSEGV":
        ctypes.string_at(0)
    if how == "SIGABRT":
        os.abort()
    while True:
        pass
"""
DECODER = """
def change(module):
    decode = module.decode

    def crashes(stream, packet):
        if packet is not None and ({where}):
            crash({how!r})
        return decode(stream, packet)

    module.decode = crashes

sys.meta_path.insert(0, Finder("vidcolor.video.careful", change))
"""
FUNCTION = """
sys.meta_path.insert(0, Finder({module!r}, lambda module: setattr(module, {name!r}, lambda *_, **__: crash({how!r}))))
"""


def crashing(folder: Path, how: str, *where: str) -> str:
    """PYTHONPATH for processes in which something crashes (SIGSEGV, SIGABRT) or never ends ("hang").

    `where` are functions as "vidcolor.module:name"; or expressions of Python, true for a `packet` of a `stream` that
    FFmpeg's decoder of films crashes on.
    """
    folder.mkdir(exist_ok=True)
    text = HOOK
    for place in where:
        module, _, name = place.partition(":")
        if module.startswith("vidcolor."):
            text += FUNCTION.format(module=module, name=name, how=how)
        else:
            text += DECODER.format(where=place, how=how)
    (folder / "sitecustomize.py").write_text(text)
    return str(folder)
