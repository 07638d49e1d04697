"""`python -m tests.fuzz NAME [OPTIONS OF LIBFUZZER]`: one parser under atheris, without end."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path


def main() -> None:
    import atheris

    with atheris.instrument_imports(include=["vidcolor"]):
        from tests.fuzz.parsers import PARSERS
    if len(sys.argv) < 2 or sys.argv[1] not in PARSERS:
        sys.exit(f"usage: python -m tests.fuzz NAME [OPTIONS OF LIBFUZZER]; NAME is one of {', '.join(PARSERS)}")
    parser = PARSERS[sys.argv[1]]
    with tempfile.TemporaryDirectory() as folder:
        corpus, work = Path(folder, "corpus"), Path(folder, "work.vidcolor")
        corpus.mkdir()
        work.mkdir()
        (corpus / "seed").write_bytes(parser.seed(work))

        def one(data: bytes) -> None:
            (work / parser.name).write_bytes(data)
            parser.read(work / parser.name)

        atheris.Setup([sys.argv[0], *sys.argv[2:], str(corpus)], one)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
