"""Where the random numbers of a run begin."""

import keras
import tensorflow as tf


def set_random_seed(seed: int, *, deterministic: bool = False) -> None:
    """Seeds Python, NumPy and TensorFlow, so that what is made next begins with the same weights each time.

    Args:
        seed: at least 0.
        deterministic: operations give the same bits each time, too; some are slower then. It stays so for the process.

    Examples:
        >>> import keras
        >>> from tfpretune.training import set_random_seed
        >>> set_random_seed(1)
        >>> first = keras.random.normal((2,))
        >>> set_random_seed(1)
        >>> bool((first == keras.random.normal((2,))).numpy().all())
        True
    """
    keras.utils.set_random_seed(seed)
    if deterministic:
        tf.config.experimental.enable_op_determinism()
