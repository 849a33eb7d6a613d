"""A small convolutional encoder for images."""

from typing import Any

import keras
import keras_hub


@keras.saving.register_keras_serializable("tfpretune")
class SmallCNN(keras_hub.models.Backbone):
    """Convolutions with group normalisation, halving the image at each stage.

    Group normalisation (Wu and He 2018, arXiv:1803.08494) has no moving statistics, so a few hundred steps from scratch are
    judged fairly and replicas agree.

    Input: float32 `images` `(batch, height, width, channels)` in [0, 1]. Output: `(batch, height', width', filters[-1])`,
    where each stage has half the height and the width, rounded up.

    Args:
        image_shape: height, width, channels.
        filters: channels of each stage; each starts with a stride of 2.
        groups: groups of the normalisation; must divide every number of filters.
        dtype: Keras dtype policy.
        name: of the model.
        trainable: whether its weights learn.

    Raises:
        ValueError: an image shape of other than three numbers, or filters that the groups do not divide.

    Examples:
        >>> from tfpretune.backbones import SmallCNN
        >>> backbone = SmallCNN((28, 28, 1), filters=(16, 32))
        >>> backbone.input["images"].shape, backbone.output.shape  # 28 -> 14 -> 7
        ((None, 28, 28, 1), (None, 7, 7, 32))
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        filters: tuple[int, ...] = (32, 64, 128),
        *,
        groups: int = 8,
        dtype: Any = None,
        name: str | None = None,
        trainable: bool = True,
    ):
        if len(image_shape) != 3 or not filters or any(width % groups for width in filters):
            raise ValueError(
                "expected image_shape (height, width, channels), and filters that are multiples of groups, "
                f"received {tuple(image_shape)}, {tuple(filters)} and {groups}"
            )
        dtype = keras.dtype_policies.get(dtype)
        images = keras.Input(tuple(image_shape), name="images")
        x = images
        for stage, width in enumerate(filters):
            for half in range(2):
                stride = 1 if half else 2
                x = keras.layers.Conv2D(
                    width,
                    3,
                    strides=stride,
                    padding="same",
                    kernel_initializer="he_normal",
                    dtype=dtype,
                    name=f"stage_{stage}_conv_{half}",
                )(x)
                x = keras.layers.GroupNormalization(groups, dtype=dtype, name=f"stage_{stage}_norm_{half}")(x)
                x = keras.layers.Activation("relu", dtype=dtype, name=f"stage_{stage}_relu_{half}")(x)
        super().__init__(inputs={"images": images}, outputs=x, dtype=dtype, name=name, trainable=trainable)
        self.image_shape = tuple(image_shape)
        self.filters = tuple(filters)
        self.groups = groups

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return super().get_config() | {"image_shape": self.image_shape, "filters": self.filters, "groups": self.groups}
