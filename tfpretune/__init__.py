"""Keras-first pre-training and fine-tuning: unlabelled data and few labels in, a served model out."""

import lazy_loader

__version__ = "0.1.0"
_FOLDERS = (
    "backbones",
    "data",
    "evaluation",
    "experiments",
    "finetune",
    "objectives",
    "search",
    "serving",
    "settings",
    "tasks",
    "training",
)
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__, submodules=_FOLDERS, submod_attrs={"errors": ["RunError", "UsageError"]}
)
