"""How a backbone is fed: the same named inputs for every backbone of a kind."""

import keras


def feed(backbone: keras.Model) -> tuple[dict[str, keras.KerasTensor], dict[str, keras.KerasTensor]]:
    """Makes fresh inputs for a model on top of a backbone.

    BERT's `segment_ids` are no input of such a model: all its texts are one segment, so they are zeros made in the graph, and
    training, serving and every backbone take the same two inputs.

    Returns:
        The inputs of the new model, and what to call the backbone with; both by name.
    """
    inputs = {
        name: keras.Input(tensor.shape[1:], dtype=tensor.dtype, name=name)
        for name, tensor in backbone.input.items()
        if name != "segment_ids"
    }
    if "segment_ids" not in backbone.input:
        return inputs, inputs
    return inputs, inputs | {"segment_ids": keras.ops.zeros_like(inputs["token_ids"])}


def sequence_features(backbone: keras.Model, inputs: dict[str, keras.KerasTensor]) -> keras.KerasTensor:
    """Calls a backbone and returns its features for every token or patch; KerasHub's BERT also gives a pooled vector."""
    features = backbone(inputs)
    return features["sequence_output"] if isinstance(features, dict) else features
