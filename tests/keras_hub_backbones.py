"""The smallest network of each class of KerasHub's, with random weights: for images of 32 x 32, for texts with a tokenizer."""

import io

import keras_hub
import sentencepiece

M, T = keras_hub.models, keras_hub.tokenizers
VIT = {"num_layers": 1, "hidden_dim": 8, "num_heads": 2, "intermediate_dim": 8, "image_shape": (32, 32, 3)}
IMAGES = {
    "CSPNetBackbone": lambda: M.CSPNetBackbone(8, 3, 1, [1, 1], [1, 2], [8, 8], "dark_block", stage_type="dark"),
    "DeiTBackbone": lambda: M.DeiTBackbone((32, 32, 3), 16, 1, 2, 8, 8),
    "DenseNetBackbone": lambda: M.DenseNetBackbone([1, 1], growth_rate=8),
    "DINOV2Backbone": lambda: M.DINOV2Backbone(8, position_embedding_shape=(32, 32, 3), **VIT),
    "DINOV3Backbone": lambda: M.DINOV3Backbone(8, **VIT),
    "EfficientNetBackbone": lambda: M.EfficientNetBackbone(
        stackwise_width_coefficients=[1.0],
        stackwise_depth_coefficients=[1.0],
        stackwise_kernel_sizes=[3],
        stackwise_num_repeats=[1],
        stackwise_input_filters=[8],
        stackwise_output_filters=[8],
        stackwise_expansion_ratios=[2],
        stackwise_squeeze_and_excite_ratios=[0.25],
        stackwise_strides=[2],
        stackwise_block_types=["v1"],
    ),
    "HGNetV2Backbone": lambda: M.HGNetV2Backbone(
        depths=[1, 1],
        embedding_size=8,
        hidden_sizes=[8, 16],
        stem_channels=[3, 8, 8],
        hidden_act="relu",
        use_learnable_affine_block=False,
        stackwise_stage_filters=[(8, 8, 8, 1, 1, 3), (8, 8, 16, 1, 1, 3)],
        apply_downsample=[False, True],
        use_lightweight_conv_block=[False, False],
        image_shape=(32, 32, 3),
    ),
    "MiTBackbone": lambda: M.MiTBackbone(
        layerwise_depths=[1, 1],
        num_layers=2,
        layerwise_num_heads=[1, 2],
        layerwise_sr_ratios=[2, 1],
        max_drop_path_rate=0.1,
        layerwise_patch_sizes=[7, 3],
        layerwise_strides=[4, 2],
        image_shape=(32, 32, 3),
        hidden_dims=[8, 16],
    ),
    "MobileNetBackbone": lambda: M.MobileNetBackbone(
        stackwise_expansion=[[8]],
        stackwise_num_blocks=[1],
        stackwise_num_filters=[[8]],
        stackwise_kernel_size=[[3]],
        stackwise_num_strides=[[2]],
        stackwise_se_ratio=[[0.25]],
        stackwise_activation=[["hard_swish"]],
        stackwise_padding=[[1]],
        output_num_filters=8,
        depthwise_filters=8,
        depthwise_stride=2,
        depthwise_residual=False,
        last_layer_filter=8,
        input_num_filters=8,
    ),
    "ResNetBackbone": lambda: M.ResNetBackbone([64], [3], [64], [1], [1], "basic_block"),
    "SwinTransformerBackbone": lambda: M.SwinTransformerBackbone((32, 32, 3), 8, (1, 1), (1, 2), window_size=4),
    "VGGBackbone": lambda: M.VGGBackbone([1, 1], [8, 8]),
    "ViTBackbone": lambda: M.ViTBackbone((32, 32, 3), 16, num_layers=1, num_heads=2, hidden_dim=8, mlp_dim=8),
    "XceptionBackbone": lambda: M.XceptionBackbone([[8, 8], [8, 8]], [True, False]),
}
WORDS = ("good", "bad", "film", "about", "a", "dog", "cat")
TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
SIZES = {"num_layers": 1, "num_heads": 2, "hidden_dim": 8, "intermediate_dim": 16}
LETTERS = {letter: number for number, letter in enumerate("abcdefghijklmnopqrstuvwxyzĠ")}


def letters(*special):
    """A vocabulary of bytes as letters, behind special tokens."""
    return {token: number for number, token in enumerate((*special, *LETTERS, "go"))}


def pieces(**settings):
    """A SentencePiece model of a few words."""
    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["good film about a dog", "bad film about a cat"] * 20),
        model_writer=written,
        vocab_size=40,
        hard_vocab_limit=False,
        minloglevel=2,
        **settings,
    )
    return written.getvalue()


ENDS = {"pad_piece": "<pad>", "bos_piece": "[CLS]", "eos_piece": "[SEP]"}
TEXTS = {
    "AlbertBackbone": lambda: (
        M.AlbertBackbone(60, embedding_dim=4, max_sequence_length=16, **SIZES),
        T.AlbertTokenizer(pieces(pad_id=0, unk_id=1, bos_id=2, eos_id=3, user_defined_symbols=["[MASK]"], **ENDS)),
    ),
    "BertBackbone": lambda: (M.BertBackbone(12, max_sequence_length=16, **SIZES), T.BertTokenizer(TOKENS)),
    "DebertaV3Backbone": lambda: (
        M.DebertaV3Backbone(60, max_sequence_length=16, bucket_size=8, **SIZES),
        T.DebertaV3Tokenizer(
            pieces(pad_id=0, bos_id=1, eos_id=2, unk_id=3, unk_piece="[UNK]", **ENDS | {"pad_piece": "[PAD]"})
        ),
    ),
    "DistilBertBackbone": lambda: (
        M.DistilBertBackbone(12, max_sequence_length=16, **SIZES),
        T.DistilBertTokenizer(TOKENS),
    ),
    "ElectraBackbone": lambda: (
        M.ElectraBackbone(12, embedding_dim=4, max_sequence_length=16, **SIZES),
        T.ElectraTokenizer(TOKENS),
    ),
    "FNetBackbone": lambda: (
        M.FNetBackbone(60, num_layers=1, hidden_dim=8, intermediate_dim=16, max_sequence_length=16),
        T.FNetTokenizer(pieces(pad_id=3, unk_id=0, bos_id=4, eos_id=5, user_defined_symbols=["[MASK]"], **ENDS)),
    ),
    "GPT2Backbone": lambda: (
        M.GPT2Backbone(40, max_sequence_length=16, **SIZES),
        T.GPT2Tokenizer(letters("<|endoftext|>"), ["g o"]),
    ),
    "RobertaBackbone": lambda: (
        M.RobertaBackbone(40, max_sequence_length=16, **SIZES),
        T.RobertaTokenizer(letters("<s>", "<pad>", "</s>", "<unk>", "<mask>"), ["g o"]),
    ),
    "T5Backbone": lambda: (
        M.T5Backbone(60, **SIZES),
        T.T5Tokenizer(pieces(bos_id=-1, pad_id=0, eos_id=1, unk_id=2, pad_piece="<pad>")),
    ),
    "XLMRobertaBackbone": lambda: (
        M.XLMRobertaBackbone(70, max_sequence_length=16, **SIZES),
        T.XLMRobertaTokenizer(pieces(unk_id=0, bos_id=1, eos_id=2, pad_id=-1)),
    ),
}
