"""What sound's way to the overheads does to onsets: when it is taken off, how it is measured, what that brings."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beatnet_align.hit_outputs import PIECE_GROUPS
from beatnet_align.hitnet import find_hits
from beatnet_align.hits import Piece
from beatnet_align.roles import Role
from beatnet_align.travel import EXTRA_TRAVEL_SECONDS, extra_travel_seconds
from datagen.config import DatasetConfig, Sources, Split
from datagen.dataset import read_manifest, write_dataset
from datagen.recorded.layouts import PIECE_PLACES_M, PLACEMENTS
from datagen.recorded.rooms import SPEED_OF_SOUND_M_PER_SECOND
from models.hit_evaluation_takes import Condition, KnownTake, dataset_takes, under
from models.measure_travel import main, measure_travel

roles = st.sampled_from(list(Role))
role_sets = st.frozensets(roles, min_size=1)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three takes with most of the microphones that there are."""
    folder = tmp_path_factory.mktemp("travel") / "set"
    played = Sources(3, ("synth1",), groove_probability=0.0)
    config = DatasetConfig(
        "travel",
        seconds=8.0,
        channels=(13, 15),
        clean_probability=1.0,
        drop_channel_probability=0.0,
        metronome=False,
        targets=False,
        validation=played,
    )
    write_dataset(config, folder, workers=1)
    return folder


@given(own=roles, heard_by=roles, channels=role_sets)
def test_nothing_is_taken_off_where_a_microphone_of_its_own_or_no_overhead_times_a_piece(
    own: Role, heard_by: Role, channels: frozenset[Role]
) -> None:
    assert extra_travel_seconds(own, heard_by, channels | {own}) == 0.0
    assert heard_by is Role.OVERHEAD or extra_travel_seconds(own, heard_by, channels) == 0.0


def test_the_kick_lies_furthest_from_overheads_and_hats_and_cymbals_tell_their_time() -> None:
    overheads = [Role.OVERHEAD, Role.ROOM, Role.OTHER]
    seconds = {own: extra_travel_seconds(own, Role.OVERHEAD, overheads) for own in Role}
    assert 0.003 > seconds[Role.KICK] > seconds[Role.SNARE] > 0.0
    assert seconds[Role.HIHAT] == seconds[Role.RIDE] == seconds[Role.CYMBAL] == 0.0


def test_travel_is_what_distances_say(dataset: Path) -> None:
    """Microphones and pieces stand some centimetres to either side of their usual places."""
    travel = measure_travel(read_manifest(dataset), Role.OVERHEAD)
    overheads = [placement for placement in PLACEMENTS if placement.microphone.role is Role.OVERHEAD]
    own = {piece: placement.place_m for placement in PLACEMENTS for piece in placement.microphone.close_to}
    for group, piece in (("kick", Piece.KICK), ("snare", Piece.SNARE), ("hihat", Piece.HIHAT_CLOSED)):
        way_m = min(np.linalg.norm(np.subtract(one.place_m, PIECE_PLACES_M[piece])) for one in overheads)
        usual_seconds = float(way_m - np.linalg.norm(own[piece])) / SPEED_OF_SOUND_M_PER_SECOND
        assert np.median(travel[group].takes_seconds) == pytest.approx(usual_seconds, abs=0.0012)
    assert set(travel["hihat"].beyond_hihat_seconds) == {0.0}
    by_distance = [travel[group].takes_seconds for group in ("hihat", "snare", "kick")]
    assert all(np.median(near) < np.median(far) for near, far in pairwise(by_distance))


def test_what_is_struck_together_is_timed_together_from_afar(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Overheads hear kicks later than hats of the same moment; their onsets are less far apart."""
    takes = [load_take() for load_take in dataset_takes(dataset, Split.VALIDATION)]
    far = [left for known in takes if (left := under(Condition.FAR, known, np.random.default_rng(0))) is not None]
    struck_seconds = _later_than_hats_seconds(far)
    monkeypatch.setattr("beatnet_align.travel.EXTRA_TRAVEL_SECONDS", {})
    heard_seconds = _later_than_hats_seconds(far)
    assert heard_seconds == pytest.approx(struck_seconds + EXTRA_TRAVEL_SECONDS[Role.KICK], abs=0.0003)
    assert abs(struck_seconds) < abs(heard_seconds)


def test_the_command_tells_every_group(dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(dataset)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == [*PIECE_GROUPS, *PIECE_GROUPS]
    assert main([str(dataset), "--split", "test"]) == 2
    assert "test" in capsys.readouterr().err


def _later_than_hats_seconds(takes: list[KnownTake]) -> float:
    """How much later kicks are found than hats, each against when it was struck."""
    errors: dict[str, list[float]] = {"kick": [], "hihat": []}
    for known in takes:
        hits = find_hits(known.take)
        for group in errors:
            pieces = PIECE_GROUPS[group]
            found = np.array([hit.onset_samples / known.take.sample_rate for hit in hits if hit.piece in pieces])
            true = np.array([hit.seconds for hit in known.true_hits if hit.piece in pieces])
            late = found[:, None] - true
            errors[group] += late[np.abs(late) < 0.010].tolist()
    assert min(len(of_group) for of_group in errors.values()) > 10
    return float(np.median(errors["kick"]) - np.median(errors["hihat"]))
