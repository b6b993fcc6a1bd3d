"""A backbone and a head, joined."""

from torch import Tensor, nn

from pvtseg.interfaces import Backbone, Head
from pvtseg.layers.resize import resize


class ImageModel(nn.Module):
    """One answer for the whole image: image (B, C, H, W) -> logits (B, num_classes)."""

    def __init__(self, backbone: Backbone, head: Head):
        super().__init__()
        self.backbone = backbone
        self.head = head

    def answer(self, image: Tensor) -> Tensor:
        """The head's answer at the head's own resolution, what losses and predictions start from."""
        return self.head(self.backbone(image))

    def forward(self, image: Tensor) -> Tensor:
        return self.answer(image)


class DenseModel(ImageModel):
    """One answer for each pixel: image (B, C, H, W) -> (B, K, H, W) at the image's own size."""

    def forward(self, image: Tensor) -> Tensor:
        return resize(self.answer(image), image.shape[-2:])
