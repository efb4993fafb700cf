"""Streaming from the generator: the same examples whoever makes them, never the same one twice."""

from itertools import islice
from pathlib import Path

import pytest
import torch
from torch.utils.data import DataLoader

from beatnet_align.errors import InputError
from datagen.config import DatasetConfig, Sources, Split
from datagen.dataset import write_dataset
from models.generated_data import EndlessPairs, GeneratedPairs, Pair, RenderedPairs

CONFIG = DatasetConfig(
    "stream",
    seconds=2.0,
    bars=1,
    channels=(2, 3),
    images=True,
    strength=(0.5, 1.0),
    train=Sources(4, ("synth1",), groove_probability=0.0),
    validation=Sources(1, ("synth2",), groove_probability=0.0),
)


def first(items: list[Pair]) -> Pair:
    return items[0]


def test_conditioning_has_the_metronome_and_its_phases() -> None:
    pair = GeneratedPairs(CONFIG, Split.TRAIN)[0]
    assert pair.take.shape == pair.target.shape
    assert pair.conditioning.shape == (7, pair.take.shape[1])
    clicks = pair.conditioning[0].abs() > 0.3
    beat_cosine = pair.conditioning[4]
    assert (beat_cosine[clicks] > 0.9).all()
    assert pair.hits.shape[1] == 3


def test_workers_make_what_one_process_makes() -> None:
    alone = [GeneratedPairs(CONFIG, Split.TRAIN)[i] for i in range(4)]
    loader = DataLoader(GeneratedPairs(CONFIG, Split.TRAIN), batch_size=1, num_workers=2, collate_fn=first)
    for mine, theirs in zip(alone, loader, strict=True):
        torch.testing.assert_close(mine.take, theirs.take, rtol=0, atol=0)
        torch.testing.assert_close(mine.hits, theirs.hits, rtol=0, atol=0)


def test_shares_of_workers_and_processes_cover_every_index_once() -> None:
    seen = []
    for rank in range(2):
        stream = EndlessPairs(CONFIG, Split.TRAIN, rank=rank, world_size=2)
        seen += [float(pair.take.abs().sum()) for pair in islice(stream, 2)]
    alone = [float(GeneratedPairs(CONFIG, Split.TRAIN)[i].take.abs().sum()) for i in range(4)]
    assert sorted(seen) == sorted(alone)
    assert len(set(seen)) == 4


def test_a_rendered_pool_holds_the_streamed_examples(tmp_path: Path) -> None:
    write_dataset(CONFIG, tmp_path / "pool", workers=1)
    pool, stream = RenderedPairs(tmp_path / "pool", Split.TRAIN), GeneratedPairs(CONFIG, Split.TRAIN)
    assert len(pool) == len(stream) == 4
    for i in range(4):
        torch.testing.assert_close(pool[i].take, stream[i].take, rtol=0, atol=2**-15)
        torch.testing.assert_close(pool[i].hits, stream[i].hits, rtol=0, atol=1e-6)
        torch.testing.assert_close(pool[i].target_images, stream[i].target_images, rtol=0, atol=2**-15)
        assert pool[i].pieces == stream[i].pieces
        assert pool[i].roles == stream[i].roles
        assert pool[i].parameters == stream[i].parameters
        assert 0.5 <= pool[i].parameters["strength"] <= 1.0
    with pytest.raises(InputError, match="test"):
        RenderedPairs(tmp_path / "pool", Split.TEST)
