"""Exports a fine-tuned classifier as a SavedModel for TF Serving and checks it in a process without Keras.

    python recipes/export.py --run-dir runs/finetune_text --name news --saved-models saved_models

Leaves saved_models/NAME/VERSION/: raw strings or the bytes of image files go in; signatures
serving_default and embed.
"""

import dataclasses
from pathlib import Path

from tfpretune import config
from tfpretune.backbones.sizes import load_tokenizer
from tfpretune.data.sources import open_source
from tfpretune.serving import export, verify
from tfpretune.training.presets import load_task


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings."""

    run_dir: str = "runs/finetune_text"
    """Folder of a fine-tuning run."""
    name: str = ""
    """Name of the served model; empty: the last part of --run-dir."""
    saved_models: str = "saved_models"
    """Folder of all served models."""
    version: int = 0
    """Version number; 0: one more than the highest there is."""
    fast: bool = False
    """Skip the check in a fresh process."""


def main(run: Config) -> Path:
    """Model, export, check."""
    preset = Path(run.run_dir) / "preset"
    model, task = load_task(preset)
    examples = open_source(task["source"]).split("test").sample(3)
    folder = export(
        model,
        run.saved_models,
        name=run.name or Path(run.run_dir).name,
        kind=task["kind"],
        class_names=task["class_names"],
        tokenizer=load_tokenizer(str(preset)) if task["kind"] == "text" else None,
        sequence_length=task.get("sequence_length"),
        image_shape=tuple(task["image_shape"]) if "image_shape" in task else None,
        metadata=task,
        examples=list(examples.inputs),
        version=run.version or None,
    )
    print(f"exported: {folder}")
    if not run.fast:
        print(verify(folder))
    return folder


if __name__ == "__main__":
    config.run(Config, main, __doc__)
