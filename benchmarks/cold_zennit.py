"""What `onnx-lrp explain` does, through torch and zennit, as one cold command: weights, photo, picture."""

from __future__ import annotations

import sys
from pathlib import Path

# First: zennit imports torchvision too, and this import mends it where it is broken.
from exporter._torchvision import torchvision


def main(folder: Path, net: str, photo: Path, out: Path) -> None:
    import numpy as np
    import torch
    from methods import _torch_model
    from PIL import Image
    from zennit.attribution import Gradient
    from zennit.composites import LayerMapComposite, layer_map_base
    from zennit.rules import Epsilon
    from zennit.torchvision import ResNetCanonizer
    from zennit.types import Convolution, Linear

    prepare = torchvision.transforms.Compose(
        [
            torchvision.transforms.Resize(256),
            torchvision.transforms.CenterCrop(224),
            torchvision.transforms.ToTensor(),
            torchvision.transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ]
    )
    image = prepare(Image.open(photo).convert("RGB"))[None]
    rules = [(Convolution, Epsilon()), (Linear, Epsilon()), *layer_map_base()]
    composite = LayerMapComposite(rules, canonizers=[ResNetCanonizer()])
    with Gradient(_torch_model(folder, net), composite) as attributor:
        _, relevance = attributor(
            image, lambda out: torch.nn.functional.one_hot(out.argmax(1), out.shape[1]) * out
        )
    plane = relevance[0].sum(0).numpy()
    share = (plane / np.abs(plane).max())[..., None]
    colours = 255 * np.clip(1 - np.abs(share) * np.where(share > 0, (0, 1, 1), (1, 1, 0)), 0, 1)
    Image.fromarray(colours.astype(np.uint8)).save(out)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]))
