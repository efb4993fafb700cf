"""Look at a dataset: pictures and listening mixes of a few examples, histograms and a table of all of it."""

from pathlib import Path

import numpy as np

from beatnet_align.errors import InputError, OutputError
from datagen.inspection.examples import read_examples
from datagen.inspection.listening import write_mixes
from datagen.inspection.pictures import draw_example, draw_statistics
from datagen.inspection.statistics import measure_levels, summary_table

OUT_NAME, STATISTICS_NAME, SUMMARY_NAME = "inspect", "statistics.png", "summary.txt"
MOST_MEASURED = 32
"""So many examples, drawn at random, tell levels and bleed; their audio has to be read."""


def inspect_dataset(folder: Path, out_dir: Path | None = None, examples: int = 4, seed: int = 0) -> list[Path]:
    """Show what is in a dataset; prints a summary.

    Args:
        folder: Holds ``manifest.jsonl`` and the audio.
        out_dir: Gets the files, replacing those of an earlier inspection; a folder ``inspect`` in the dataset when
            None.
        examples: How many to draw and mix, picked at random.
        seed: Of the picking.

    Returns:
        The files that were written: per example a picture and two mixes, then the histograms and the summary.

    Raises:
        InputError: There is no complete dataset in ``folder``, or ``examples`` is below 0.
        OutputError: A file cannot be written.
    """
    if examples < 0:
        raise InputError(f"cannot show {examples} examples; give 0 or more")
    found = read_examples(folder)
    out_dir = folder / OUT_NAME if out_dir is None else out_dir
    try:
        out_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot write into {out_dir}: {error.strerror}; choose another folder with -o") from error
    order = np.random.default_rng(seed).permutation(len(found))
    written: list[Path] = []
    for number in sorted(order[:examples]):
        picture = out_dir / f"{found[number].name}.png"
        draw_example(found[number], picture)
        written += [picture, *write_mixes(found[number], out_dir)]
    levels = measure_levels([found[number] for number in sorted(order[:MOST_MEASURED])])
    draw_statistics(found, levels, out_dir / STATISTICS_NAME)
    summary = summary_table(found)
    (out_dir / SUMMARY_NAME).write_text(summary + "\n", encoding="utf-8")
    print(summary)
    return [*written, out_dir / STATISTICS_NAME, out_dir / SUMMARY_NAME]
