"""tfpretune's masked language model beside Hugging Face's, with the same weights: `make oracle`."""

import keras
import keras_hub
import numpy as np
import pytest
import tensorflow as tf

from tfpretune.objectives import MaskedLM

pytestmark = [
    pytest.mark.oracle,
    pytest.mark.filterwarnings("ignore"),  # of libraries that are in no other test
]
LAYERS, HEADS, HIDDEN, VOCABULARY, LENGTH = 2, 2, 16, 60, 12
ATTENTION = {"query": "self.query", "key": "self.key", "value": "self.value", "attention_output": "output.dense"}


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


@pytest.fixture
def model():
    backbone = keras_hub.models.BertBackbone(
        VOCABULARY, LAYERS, HEADS, HIDDEN, 4 * HIDDEN, 0.0, max_sequence_length=LENGTH
    )
    for layer in backbone.transformer_layers:
        layer._feedforward_intermediate_dense.activation = (
            keras.activations.gelu
        )  # KerasHub takes the tanh formula, BERT does not
    model = MaskedLM(backbone)
    rng = np.random.default_rng(0)
    for variable in model.trainable_variables:  # far from the start values: a swapped pair would be seen
        variable.assign(variable + rng.normal(0.0, 0.2, variable.shape))
    return model


@pytest.fixture
def batch():
    rng = np.random.default_rng(1)
    lengths = np.array([12, 9, 12, 5])
    padding_mask = (np.arange(LENGTH) < lengths[:, np.newaxis]).astype("int32")
    return {
        "token_ids": rng.integers(1, VOCABULARY, (4, LENGTH)).astype("int32") * padding_mask,
        "padding_mask": padding_mask,
        "mask_positions": np.array([[1, 4, 11], [2, 3, 8], [5, 0, 0], [4, 0, 0]], "int32"),
        "mask_ids": rng.integers(1, VOCABULARY, (4, 3)).astype("int32"),
        "mask_weights": np.array([[1, 1, 1], [1, 1, 1], [1, 0, 0], [1, 0, 0]], "float32"),
    }


def test_loss_and_gradient_norm_equal_transformers(torch, model, batch):
    transformers = pytest.importorskip("transformers")
    settings = transformers.BertConfig(
        vocab_size=VOCABULARY, hidden_size=HIDDEN, num_hidden_layers=LAYERS, num_attention_heads=HEADS,
        intermediate_size=4 * HIDDEN, max_position_embeddings=LENGTH, hidden_act="gelu", layer_norm_eps=1e-12,
        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, pad_token_id=0,
    )  # fmt: skip
    other = transformers.BertForMaskedLM(settings)
    weights = {name: torch.tensor(value) for name, value in named_as_in_transformers(model).items()}
    assert set(weights) == {name for name, _ in other.named_parameters()}
    other.load_state_dict(weights, strict=False)

    labels = np.full((4, LENGTH), -100)
    for row, slot in np.argwhere(batch["mask_weights"]):
        labels[row, batch["mask_positions"][row, slot]] = batch["mask_ids"][row, slot]
    columns = {"input_ids": "token_ids", "attention_mask": "padding_mask"}
    inputs = {name: torch.tensor(batch[column]).long() for name, column in columns.items()}
    loss = other(**inputs, labels=torch.tensor(labels)).loss
    loss.backward()
    norm = torch.linalg.vector_norm(torch.stack([p.grad.norm() for p in other.parameters()]))

    model.compile(keras.optimizers.SGD(0.1))
    data = tf.data.Dataset.from_tensor_slices(batch).batch(4)
    shown = model.fit(data, verbose=0, shuffle=False).history
    np.testing.assert_allclose(shown["loss"][0], float(loss), atol=1e-5)  # the tanh GELU differs by 8e-5
    np.testing.assert_allclose(shown["gradient_norm"][0], float(norm), rtol=1e-4)


def named_as_in_transformers(model: MaskedLM) -> dict[str, np.ndarray]:
    """All weights that the loss depends on, under the names and in the shapes that `BertForMaskedLM` has for them."""
    backbone = model.backbone
    named = {
        "bert.embeddings.word_embeddings.weight": backbone.token_embedding.embeddings.numpy(),
        "bert.embeddings.position_embeddings.weight": backbone.position_embedding.position_embeddings.numpy(),
        "bert.embeddings.token_type_embeddings.weight": backbone.segment_embedding.embeddings.numpy(),
        "cls.predictions.bias": model.get_layer("head_logits").bias.numpy(),
        **norm("bert.embeddings.LayerNorm", backbone.embeddings_layer_norm),
        **dense("cls.predictions.transform.dense", model.get_layer("head_dense")),
        **norm("cls.predictions.transform.LayerNorm", model.get_layer("head_norm")),
    }
    for index, layer in enumerate(backbone.transformer_layers):
        here = f"bert.encoder.layer.{index}"
        attention = layer._self_attention_layer
        parts = {
            "query": attention._query_dense, "key": attention._key_dense, "value": attention._value_dense,
            "attention_output": attention._output_dense,
        }  # fmt: skip
        for name, part in parts.items():
            named |= dense(f"{here}.attention.{ATTENTION[name]}", part)
        named |= norm(f"{here}.attention.output.LayerNorm", layer._self_attention_layer_norm)
        named |= dense(f"{here}.intermediate.dense", layer._feedforward_intermediate_dense)
        named |= dense(f"{here}.output.dense", layer._feedforward_output_dense)
        named |= norm(f"{here}.output.LayerNorm", layer._feedforward_layer_norm)
    return named


def dense(name: str, layer: keras.layers.Layer) -> dict[str, np.ndarray]:
    """PyTorch's kernels are (out, in); Keras' have the heads as an axis of their own."""
    bias = layer.bias.numpy().reshape(-1)
    return {f"{name}.weight": layer.kernel.numpy().reshape(-1, bias.size).T.copy(), f"{name}.bias": bias}


def norm(name: str, layer: keras.layers.Layer) -> dict[str, np.ndarray]:
    return {f"{name}.weight": layer.gamma.numpy(), f"{name}.bias": layer.beta.numpy()}
