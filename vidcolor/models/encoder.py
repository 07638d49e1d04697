"""EfficientNet-Lite on grey, its batch norms folded into the convolutions."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

# (kernel, stride, expansion, in, out, repeats) of EfficientNet-Lite (Tan & Le 2019, Google's Lite release),
# the blocks after which features are tapped at /2 /4 /8 /16 /32, and their channels.
ENCODERS = {
    "lite0": (
        ((3, 1, 1, 32, 16, 1), (3, 2, 6, 16, 24, 2), (5, 2, 6, 24, 40, 2), (3, 2, 6, 40, 80, 3),
         (5, 1, 6, 80, 112, 3), (5, 2, 6, 112, 192, 4), (3, 1, 6, 192, 320, 1)),
        {0: 16, 2: 24, 4: 40, 10: 112, 15: 320},
    ),
    "lite2": (
        ((3, 1, 1, 32, 16, 1), (3, 2, 6, 16, 24, 3), (5, 2, 6, 24, 48, 3), (3, 2, 6, 48, 88, 4),
         (5, 1, 6, 88, 120, 4), (5, 2, 6, 120, 208, 5), (3, 1, 6, 208, 352, 1)),
        {0: 16, 3: 24, 6: 48, 14: 120, 20: 352},
    ),
}  # fmt: skip


class SameConv(nn.Conv2d):
    """Convolution with TensorFlow's "SAME" padding: where it is odd, the extra pixel goes bottom and right."""

    def forward(self, x: Tensor) -> Tensor:
        kernel, stride = self.kernel_size[0], self.stride[0]
        if stride > 1:  # then its own padding is nought
            total = kernel - stride  # exact for sizes that are multiples of the stride
            x = F.pad(x, (total // 2, total - total // 2) * 2)
        made: Tensor = self._conv_forward(x, self.weight, self.bias)
        return made


def same_conv(cin: int, cout: int, kernel: int, stride: int = 1, groups: int = 1) -> SameConv:
    padding = kernel // 2 if stride == 1 else 0
    return SameConv(cin, cout, kernel, stride, padding, groups=groups)


class InvertedResidual(nn.Module):
    """EfficientNet-Lite's block: expand, depthwise, project; ReLU6, no squeeze-excite; norms are in the weights."""

    def __init__(self, kernel: int, stride: int, expansion: int, cin: int, cout: int) -> None:
        super().__init__()
        mid = cin * expansion
        self.expand = nn.Sequential(same_conv(cin, mid, 1), nn.ReLU6()) if expansion > 1 else nn.Identity()
        self.depthwise = nn.Sequential(same_conv(mid, mid, kernel, stride, mid), nn.ReLU6())
        self.project = same_conv(mid, cout, 1)
        self.residual = stride == 1 and cin == cout

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.project(self.depthwise(self.expand(x)))
        return x + y if self.residual else y


class Encoder(nn.Module):
    """EfficientNet-Lite on grey: the stem's three input channels see the same values.

    The pretrained batch norms are folded into the convolutions: their statistics stay ImageNet's, and it is faster.

    Gives the features at /4, /8, /16, /32 and the pooled 1280-channel head ``(N, 1280, 1, 1)``, which carries
    what the scene is (a global prior as in Iizuka et al. 2016).
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        stages, taps = ENCODERS[name]
        self.taps = tuple(taps)[1:]
        self.widths = tuple(taps.values())[1:]
        self.stem = nn.Sequential(same_conv(3, 32, 3, 2), nn.ReLU6())
        blocks = [
            InvertedResidual(kernel, stride if i == 0 else 1, expansion, cin if i == 0 else cout, cout)
            for kernel, stride, expansion, cin, cout, repeats in stages
            for i in range(repeats)
        ]
        self.blocks = nn.ModuleList(blocks)
        self.head = nn.Sequential(same_conv(self.widths[-1], 1280, 1), nn.ReLU6())

    def forward(self, lightness: Tensor) -> tuple[list[Tensor], Tensor]:
        x = (lightness * 2.55 - 127.0) / 128.0  # L* is close to an sRGB code value's share of 255
        x = self.stem(x.expand(-1, 3, -1, -1))
        features = []
        for i, block in enumerate(self.blocks):
            x = block(x)
            if i in self.taps:
                features.append(x)
        return features, self.head(x).mean((2, 3), keepdim=True)
