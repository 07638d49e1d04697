"""README.md of this folder, made from results/*.json and nothing else."""

from __future__ import annotations

from pathlib import Path

from benchmarks.report import rendered, table
from engines.profiles import PROFILES, RTX_CARDS

HERE = Path(__file__).parent
RESULTS = HERE / "results"
HEAD = """# Engines

Made by `python -m engines` with `--record`, from `results/*.json`; do not edit. Not installed: people who have the
wheel build engines for their own card by `vidcolor engines build`, or by the first film.

```
pip install -e '.[dev]'                                  # or .[aot] for building alone
python -m engines build --target rtx --gpu sm86,sm89     # portable fp16 engines, on a machine without a GPU
python -m engines verify                                 # parity of every backend that runs here
python -m engines bench                                  # and how fast each is
```

An engine goes into `built/` (git-ignored) with a JSON sidecar: model, shapes, precision, TensorRT's version, card, and
the engine's own digest. What does not match is built again, and never loaded.
"""


def write_readme() -> None:
    (HERE / "README.md").write_text(readme())


def readme() -> str:
    return "\n".join([HEAD, profiles(), *rendered(RESULTS, {"build": build, "verify": verify, "bench": bench})])


def profiles() -> str:
    rows = [[name, *("x".join(map(str, s)) for s in (p.least, p.usual, p.most))] for name, p in PROFILES.items()]
    return "## Profiles\n\nBatch x height x width.\n\n" + table(["profile", "least", "tuned for", "most"], rows) + "\n"


def build(result: dict) -> str:
    rows = [[r["card"], RTX_CARDS[r["card"]], r["profile"], r["mb"], r["seconds"]] for r in result["rows"]]
    return (
        f"## Built ahead of time\n\nTensorRT for RTX {result['tensorrt_rtx']}, fp16, no GPU in the machine.\n\n"
        + table(["card", "such as", "profile", "MB", "seconds"], rows)
        + "\n"
    )


def verify(result: dict) -> str:
    rows = [
        [name, "", "", "", r] if isinstance(r, str)
        else [name, r["mean"], r["most"], f"{r['limit_mean']} / {r['limit_most']}", "yes" if r["holds"] else "**no**"]
        for name, r in result["rows"].items()
    ]  # fmt: skip
    return (
        f"## Parity\n\n|dAB| against PyTorch in fp32, {result['pictures']} validation photographs, a\\*b\\* units.\n\n"
        + table(["backend", "mean", "greatest", "limits", "holds"], rows)
        + "\n"
    )


def bench(result: dict) -> str:
    rows = [[r["backend"], r["profile"], r["pictures_per_second"]] for r in result["rows"]]
    return (
        "## Speed\n\nPictures a second at the shape each profile is tuned for; `benchmarks/README.md` has more shapes,"
        " side by side.\n\n" + table(["backend", "profile", "pictures / s"], rows)
        + "\n\nNot run: " + "; ".join(f"{k} ({v})" for k, v in result["not_run"].items()) + ".\n"
    )  # fmt: skip
