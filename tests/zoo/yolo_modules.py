"""Blocks of the YOLO family, written from their published diagrams: what a file of theirs is made of."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

CLASSES = 4
BINS = 16


class Conv(nn.Sequential):
    """Convolution, BatchNormalization, SiLU."""

    def __init__(
        self,
        c: int,
        d: int,
        k: int = 1,
        s: int = 1,
        pad: int | None = None,
        groups: int = 1,
        act: bool = True,
    ) -> None:
        conv = nn.Conv2d(c, d, k, s, k // 2 if pad is None else pad, groups=groups, bias=False)
        super().__init__(conv, nn.BatchNorm2d(d), nn.SiLU() if act else nn.Identity())


class Bottleneck(nn.Module):
    """Two convolutions and a shortcut."""

    def __init__(self, c: int, first: int = 3, shortcut: bool = True) -> None:
        super().__init__()
        self.convs, self.shortcut = nn.Sequential(Conv(c, c, first), Conv(c, c, 3)), shortcut

    def forward(self, x: Tensor) -> Tensor:
        return x + self.convs(x) if self.shortcut else self.convs(x)


class C3(nn.Module):
    """Version 5: two branches, one of them with bottlenecks, joined."""

    def __init__(self, c: int, d: int, shortcut: bool = True) -> None:
        super().__init__()
        half = d // 2
        self.deep = nn.Sequential(Conv(c, half), Bottleneck(half, 1, shortcut))
        self.flat, self.join = Conv(c, half), Conv(2 * half, d)

    def forward(self, x: Tensor) -> Tensor:
        return self.join(torch.cat([self.deep(x), self.flat(x)], 1))


class C2f(nn.Module):
    """Version 8: one convolution split in two, a bottleneck's output joined; version 11 nests a C3."""

    def __init__(self, c: int, d: int, shortcut: bool = True, nested: bool = False) -> None:
        super().__init__()
        half = d // 2
        self.enter = Conv(c, 2 * half)
        self.deep = C3(half, half, shortcut) if nested else Bottleneck(half, 3, shortcut)
        self.join = Conv(3 * half, d)

    def forward(self, x: Tensor) -> Tensor:
        flat, deep = self.enter(x).chunk(2, 1)
        return self.join(torch.cat([flat, deep, self.deep(deep)], 1))


class SPPF(nn.Module):
    """The same max pooling three times in a row, joined."""

    def __init__(self, c: int) -> None:
        super().__init__()
        self.enter, self.pool, self.join = Conv(c, c // 2), nn.MaxPool2d(5, 1, 2), Conv(2 * c, c)

    def forward(self, x: Tensor) -> Tensor:
        found = [self.enter(x)]
        for _ in range(3):
            found.append(self.pool(found[-1]))
        return self.join(torch.cat(found, 1))


class Attention(nn.Module):
    """Version 11: attention with channels first and a positional convolution; 12 over areas of the map."""

    def __init__(self, c: int, heads: int = 1, areas: int = 1) -> None:
        super().__init__()
        self.heads, self.areas, self.deep = heads, areas, c // heads
        self.key = self.deep // 2
        self.qkv = Conv(c, heads * (2 * self.key + self.deep), act=False)
        self.place, self.out = Conv(c, c, 3, groups=c, act=False), Conv(c, c, act=False)

    def forward(self, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        areas = self.areas
        qkv = self.qkv(x).reshape(n, self.heads, 2 * self.key + self.deep, areas, h * w // areas)
        q, k, v = qkv.transpose(2, 3).split([self.key, self.key, self.deep], 3)
        weights = ((q.transpose(-2, -1) @ k) * self.key**-0.5).softmax(-1)
        mixed = (v @ weights.transpose(-2, -1)).transpose(2, 3).reshape(n, c, h, w)
        return self.out(mixed + self.place(v.transpose(2, 3).reshape(n, c, h, w)))


class Attended(nn.Module):
    """Attention and a small network, each with its shortcut; version 12 scales what it adds."""

    def __init__(self, c: int, areas: int = 1) -> None:
        super().__init__()
        self.attention = Attention(c, areas=areas)
        self.inner = nn.Sequential(Conv(c, 2 * c), Conv(2 * c, c, act=False))
        self.scale = nn.Parameter(0.01 * torch.ones(c)) if areas > 1 else None

    def forward(self, x: Tensor) -> Tensor:
        y = x + self.attention(x)
        y = y + self.inner(y)
        return y if self.scale is None else x + self.scale.view(-1, 1, 1) * y


class Backbone(nn.Module):
    """Maps at three scales."""

    def __init__(self, version: int, wide: Sequence[int]) -> None:
        super().__init__()
        a, b, c = wide
        first = Conv(3, a, 6, 2, pad=2) if version == 5 else Conv(3, a, 3, 2)
        self.small = nn.Sequential(first, Conv(a, a, 3, 2), block(version, a, a), Conv(a, a, 3, 2))
        self.middle = nn.Sequential(Conv(a, b, 3, 2), block(version, b, b))
        self.large = nn.Sequential(Conv(b, c, 3, 2), block(version, c, c), SPPF(c))
        if version >= 11:
            self.large.append(Attended(c, areas=4 if version == 12 else 1))

    def forward(self, x: Tensor) -> list[Tensor]:
        small = self.small(x)
        middle = self.middle(small)
        return [small, middle, self.large(middle)]


def block(version: int, c: int, d: int, shortcut: bool = True) -> nn.Module:
    """What a version repeats."""
    return C3(c, d, shortcut) if version == 5 else C2f(c, d, shortcut, nested=version >= 11)


class Neck(nn.Module):
    """Up by repetition, then down again, joined with the maps of each scale."""

    def __init__(self, version: int, wide: Sequence[int]) -> None:
        super().__init__()
        a, b, c = wide
        self.up = nn.Upsample(scale_factor=2, mode="nearest")
        self.to_middle, self.to_small = block(version, b + c, b, False), block(version, a + b, a, False)
        self.down_middle, self.down_large = Conv(a, a, 3, 2), Conv(b, b, 3, 2)
        self.at_middle, self.at_large = block(version, a + b, b, False), block(version, b + c, c, False)

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        small, middle, large = maps
        above = self.to_middle(torch.cat([self.up(large), middle], 1))
        small = self.to_small(torch.cat([self.up(above), small], 1))
        middle = self.at_middle(torch.cat([self.down_middle(small), above], 1))
        return [small, middle, self.at_large(torch.cat([self.down_large(middle), large], 1))]


class Head(nn.Module):
    """Versions 8 to 12: distances to four sides as expectations over bins, and classes' scores."""

    def __init__(self, version: int, wide: Sequence[int], masks: int) -> None:
        super().__init__()

        def branch(c: int, out: int, deep: bool = False) -> nn.Sequential:
            before = (Conv(c, c, 3, groups=c), Conv(c, c)) if deep else (Conv(c, c, 3),)
            return nn.Sequential(*before, nn.Conv2d(c, out, 1))

        self.sides = nn.ModuleList(branch(c, 4 * BINS) for c in wide)
        self.classes = nn.ModuleList(branch(c, CLASSES, version >= 11) for c in wide)
        self.masks = nn.ModuleList(branch(c, masks) for c in wide if masks)
        self.register_buffer("bins", torch.arange(BINS, dtype=torch.float32).view(1, BINS, 1, 1))

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        joined = [
            torch.cat([branch(x).flatten(2) for branch, x in zip(branches, maps, strict=True)], 2)
            for branches in (self.sides, self.classes, self.masks)
            if len(branches)
        ]
        sides, scores, *masks = joined
        n, _, places = sides.shape
        bins = sides.view(n, 4, BINS, places).transpose(1, 2).softmax(1)
        left, right = nn.functional.conv2d(bins, self.bins).view(n, 4, places).chunk(2, 1)
        centres, strides = self.grid(maps)
        boxes = torch.cat([(2 * centres + right - left) / 2, right + left], 1) * strides
        return torch.cat([boxes, scores.sigmoid(), *masks], 1)

    def grid(self, maps: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Centres and strides of all places."""
        centres, strides = [], []
        for x, stride in zip(maps, (8, 16, 32), strict=True):
            rows, columns = (torch.arange(size, dtype=x.dtype) + 0.5 for size in x.shape[2:])
            y, z = torch.meshgrid(rows, columns, indexing="ij")
            centres.append(torch.stack([z.flatten(), y.flatten()]))
            strides.append(torch.full((1, x.shape[2] * x.shape[3]), float(stride), dtype=x.dtype))
        return torch.cat(centres, 1)[None], torch.cat(strides, 1)[None]


class AnchorHead(nn.Module):
    """Version 5: three anchors a place, centres and sizes by a Sigmoid of all."""

    def __init__(self, wide: Sequence[int]) -> None:
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(c, 3 * (5 + CLASSES), 1) for c in wide)
        self.register_buffer("anchors", torch.tensor([[10.0, 13], [30, 61], [116, 90]]).view(1, 3, 1, 1, 2))

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        found = []
        for conv, x, stride in zip(self.convs, maps, (8, 16, 32), strict=True):
            n, _, h, w = x.shape
            y = conv(x).view(n, 3, 5 + CLASSES, h, w).permute(0, 1, 3, 4, 2).sigmoid()
            rows, columns = (torch.arange(size, dtype=x.dtype) for size in (h, w))
            z, t = torch.meshgrid(rows, columns, indexing="ij")
            grid = torch.stack([t, z], 2).view(1, 1, h, w, 2) - 0.5
            place, size, scores = y.split((2, 2, CLASSES + 1), 4)
            parts = ((place * 2 + grid) * stride, (size * 2) ** 2 * self.anchors, scores)
            found.append(torch.cat(parts, 4).view(n, 3 * h * w, 5 + CLASSES))
        return torch.cat(found, 1)


class Detector(nn.Module):
    """Backbone, neck and head, up to all boxes with their scores."""

    def __init__(self, version: int, wide: Sequence[int], masks: int = 0) -> None:
        super().__init__()
        self.backbone, self.neck = Backbone(version, wide), Neck(version, wide)
        self.head = AnchorHead(wide) if version == 5 else Head(version, wide, masks)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.neck(self.backbone(x)))


class Classifier(nn.Module):
    """Version 11's backbone with a pooled head."""

    def __init__(self, wide: Sequence[int]) -> None:
        super().__init__()
        self.backbone, self.last = Backbone(11, wide), Conv(wide[-1], 64)
        self.pool, self.classes = nn.AdaptiveAvgPool2d(1), nn.Linear(64, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.classes(self.pool(self.last(self.backbone(x)[-1])).flatten(1))


class Chosen(nn.Module):
    """A detector and the choice of its best boxes: no gradient says which ones are chosen."""

    def __init__(self, detector: nn.Module, best: int = 5) -> None:
        super().__init__()
        self.detector, self.best = detector, best

    def forward(self, x: Tensor) -> Tensor:
        found = self.detector(x)
        places = found[:, 4:].amax(1).topk(self.best).indices
        return found.gather(2, places[:, None].expand(-1, found.shape[1], -1))
