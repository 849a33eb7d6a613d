"""Which weights decay: one rule for every optimizer and every number of replicas."""

import re

import keras

# In variables' own names: biases may have two dimensions (attention's heads), learnt tokens and position tables have more.
_NEVER = re.compile(r"bias|position|^rel_embedding$|_tokens?$")
_TABLE_OF_POSITIONS = re.compile("position|attention")  # in the name of the layer that a table `embeddings` belongs to


def decays(variable: keras.Variable) -> bool:
    """Says whether weight decay reaches a variable: kernels, and tables of tokens and segments.

    Not biases, scales and shifts of normalisation and of layers, nor what is a place or a learnt token of its own: position
    tables, class, mask and register tokens. That is the practice of timm for vision transformers (`no_weight_decay`, and all
    with less than two dimensions) and of BERT's optimizer for biases and normalisation (Devlin et al. 2018, appendix A.2). BERT
    lets its position table decay; here one rule holds for texts and images.

    Args:
        variable: a Keras variable. Not the `tf.Variable` in it, whose name is the whole path: "scale" in a layer's name would
            then decide over its kernel.
    """
    *layers, name = variable.path.split("/")
    if name.endswith("kernel"):
        return True
    if len(variable.shape) < 2 or _NEVER.search(name):
        return False
    return not (name == "embeddings" and layers and _TABLE_OF_POSITIONS.search(layers[-1]))
