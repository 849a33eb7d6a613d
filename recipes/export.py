"""Exports a fine-tuned model as a SavedModel for TF Serving and checks it in a process without Keras.

    python recipes/export.py --run-dir runs/finetune_text --name news --saved-models saved_models

Leaves saved_models/NAME/VERSION/: raw strings or the bytes of image files go in. What comes out follows from the model:
a class, labels, numbers, tagged words, an answer, a map of classes, a vector; of several tasks a signature for each.
"""

import dataclasses
from pathlib import Path

import tfpretune as tp
from tfpretune.settings import launch


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
    folder = tp.tasks.export_run(
        run.run_dir, run.saved_models, name=run.name, version=run.version or None, with_examples=True
    )
    if not run.fast:
        print(tp.serving.verify(folder))
    card = folder / "assets.extra" / "model_card.md"
    launch.close(f"exported: {folder}", card, launch.to_ask(folder, tp.serving.example_inputs(folder)))
    return folder


if __name__ == "__main__":
    launch.run(Config, main, __doc__)
