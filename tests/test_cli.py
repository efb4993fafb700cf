"""The command line: what people see, and that bad input ends in one line and exit status 2."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from beatnet_align.cli import main
from beatnet_align.cli_options import LEFT_FLAM_MS, MERGE_WINDOW_MS
from beatnet_align.demo import demo_folder
from beatnet_align.edit_plan import EditPlan
from beatnet_align.effect import BeatDetective
from beatnet_align.engines import Engine
from beatnet_align.plan_json import plan_to_json
from beatnet_align.repair import placements

TAKE = demo_folder() / "take"
TEMPO = ["--bpm", "112", "--first-beat", "0.5"]
CLASSICAL = ["--engine", "onset-quantise"]


def test_help_is_complete_and_waits_for_nothing_slow() -> None:
    timed = [sys.executable, "-X", "importtime", "-m", "beatnet_align", "--help"]
    run = subprocess.run(timed, capture_output=True, text=True, check=True)
    imported = {line.rpartition("|")[2].strip() for line in run.stderr.splitlines()}
    assert "beatnet_align.cli" in imported
    assert not imported & {"numpy", "scipy", "soundfile", "onnxruntime", "matplotlib", "mido", "tqdm"}
    for command in ("align", "detect", "render", "stems", "compare", "demo"):
        assert command in run.stdout


def test_what_help_names_is_the_default() -> None:
    assert BeatDetective().flam_seconds * 1e3 == LEFT_FLAM_MS
    assert BeatDetective().merge_window_seconds * 1e3 == MERGE_WINDOW_MS


@pytest.mark.parametrize("command", ["align", "detect", "render", "stems", "compare", "demo"])
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    assert command in capsys.readouterr().out


def test_align_then_render_a_corrected_plan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert main(["align", str(TAKE), "-o", str(out), *TEMPO, "--grid", "1/16"]) == 0
    assert "hits moved, by" in capsys.readouterr().out
    assert main(["render", str(TAKE), str(out / "edits.json"), "-o", str(tmp_path / "again")]) == 0
    assert (tmp_path / "again" / "kick.flac").read_bytes() == (out / "kick.flac").read_bytes()


def test_estimated_tempo_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["align", str(TAKE), "-o", str(tmp_path / "out"), *CLASSICAL]) == 0
    remarks = capsys.readouterr().err
    assert "assumed constant tempo 112 BPM" in remarks
    assert "first beat at 0.50" in remarks


@pytest.mark.parametrize("command", ["align", "detect", "compare"])
def test_help_says_what_each_engine_is(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([command, "--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert "neural: a network that hears all channels together" in text
    assert "onset-quantise: jumps in level" in text
    assert "of onset-quantise alone" in text


def test_the_classical_engine_stays_itself(tmp_path: Path, demo_plan: EditPlan) -> None:
    assert main(["align", str(TAKE), "-o", str(tmp_path / "out"), *TEMPO, *CLASSICAL]) == 0
    assert (tmp_path / "out" / "edits.json").read_text() == plan_to_json(demo_plan, placements(demo_plan))


def test_the_default_engine_is_neural(tmp_path: Path) -> None:
    for out, engine in (("default", []), ("asked", ["--engine", "neural"])):
        assert main(["align", str(TAKE), "-o", str(tmp_path / out), *TEMPO, *engine]) == 0
    edits = (tmp_path / "default" / "edits.json").read_text()
    assert json.loads(edits)["engine"] == "neural"
    assert edits == (tmp_path / "asked" / "edits.json").read_text()


def test_positions_may_be_the_nearest_lines(tmp_path: Path) -> None:
    for out, options in (("default", []), ("nearest", ["--positions", "nearest"])):
        assert main(["align", str(TAKE), "-o", str(tmp_path / out), *TEMPO, *options]) == 0
    plans = [json.loads((tmp_path / out / "edits.json").read_text()) for out in ("default", "nearest")]
    neural, nearest = ([move["runner_up_beats"] for move in plan["moves"]] for plan in plans)
    assert len(neural) == len(nearest)
    assert None not in neural
    assert set(nearest) == {None}


def test_every_hit_and_bar_is_reported_when_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["align", str(TAKE), "-o", str(tmp_path / "out"), *TEMPO, "--report-hits"]) == 0
    hits, bars, summary = capsys.readouterr().out.split("\n\n")
    moves = json.loads((tmp_path / "out" / "edits.json").read_text())["moves"]
    assert len(hits.splitlines()) == len(moves) + 1
    assert hits.split()[0] == "seconds"
    assert [line.split()[0] for line in bars.splitlines()] == ["bar", "1", "2", "3", "4", "5"]
    assert "hits moved, by" in summary


def test_detect_hears_as_the_engine_that_was_asked_for(capsys: pytest.CaptureFixture[str], demo_plan: EditPlan) -> None:
    seconds: dict[Engine, list[float]] = {}
    for engine in Engine:
        assert main(["detect", str(TAKE), "--json", "--engine", engine]) == 0
        seconds[engine] = [hit["seconds"] for hit in json.loads(capsys.readouterr().out)["hits"]]
    rate = demo_plan.take.sample_rate
    found = [round(move.onset_samples / rate, 6) for move in demo_plan.moves]
    assert seconds[Engine.ONSET_QUANTISE] == pytest.approx(found, abs=1e-6)
    assert seconds[Engine.NEURAL] != seconds[Engine.ONSET_QUANTISE]


@pytest.mark.parametrize("engine", Engine)
def test_more_sensitivity_finds_no_fewer_hits(engine: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    counts = []
    for percent in ("0", "50", "100"):
        assert main(["detect", str(TAKE), "--json", "--engine", engine, "--sensitivity", percent]) == 0
        counts.append(len(json.loads(capsys.readouterr().out)["hits"]))
    assert counts == sorted(counts)
    assert counts[0] > 0


@pytest.mark.parametrize("engine", Engine)
def test_detect_prints_a_table_or_json(engine: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["detect", str(TAKE), "--engine", engine]) == 0
    table = capsys.readouterr().out.splitlines()
    assert table[0].split() == ["seconds", "channel", "piece", "velocity", "confidence"]
    assert main(["detect", str(TAKE), "--json", "--engine", engine]) == 0
    hits = json.loads(capsys.readouterr().out)["hits"]
    assert len(hits) == len(table) - 1
    assert set(hits[0]) == {"seconds", "channel", "piece", "velocity", "confidence"}


def test_compare_prints_engines_side_by_side(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = str(demo_folder() / "target")
    assert main(["compare", str(TAKE), "--target", target, "-o", str(tmp_path / "out"), *TEMPO]) == 0
    table, said = capsys.readouterr()
    assert "without --target" not in said
    assert table.splitlines()[0].split() == ["untouched", "onset-quantise", "neural"]
    assert "phase locked" in table
    for engine in Engine:
        assert json.loads((tmp_path / "out" / engine / "edits.json").read_text())["engine"] == engine
        assert (tmp_path / "out" / engine / "snare_top.flac").exists()
    assert (tmp_path / "out" / "before_after.png").read_bytes().startswith(b"\x89PNG")


def test_compare_without_a_target_measures_against_the_grid(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", str(TAKE), *TEMPO]) == 0
    table, said = capsys.readouterr()
    assert "note: without --target the take as it was played is the measure" in said
    rows = {line.split("  ")[0]: line.split()[-3:] for line in table.splitlines()[1:]}
    before, classical, neural = (float(cell) for cell in rows["deviation within 2 ms"])
    assert classical > 0.6 > before
    assert neural > before


def test_compare_estimates_one_tempo_and_writes_nothing_before_all_may_write(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["compare", str(TAKE), "-o", str(out), *CLASSICAL]) == 0
    assert capsys.readouterr().err.count("assumed constant tempo 112 BPM") == 1
    plans = [json.loads((out / engine / "edits.json").read_text()) for engine in Engine]
    assert plans[0]["tempo_map"] == plans[1]["tempo_map"]
    for name in ("before_after.png", "neural/edits.json"):
        (out / name).unlink()
    left = sorted(out.rglob("*"))
    assert main(["compare", str(TAKE), "-o", str(out)]) == 2
    assert "--force" in capsys.readouterr().err
    assert sorted(out.rglob("*")) == left


def test_demo_writes_stems_figures_and_a_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["demo"]) == 0
    assert main(["demo"]) == 2  # nothing is overwritten unasked
    assert main(["demo", "--force"]) == 0
    printed = capsys.readouterr().out
    assert printed.splitlines()[0].split() == ["untouched", "onset-quantise", "neural"]
    assert f"listen to the stems in {Path('beatnet-demo', 'neural')}" in printed
    assert (tmp_path / "beatnet-demo" / "before_after.png").exists()
    for engine in Engine:
        assert (tmp_path / "beatnet-demo" / engine / "snare_top.flac").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["align", "nowhere", "-o", "out"], "nowhere"),
        (["align", "empty", "-o", "out"], "no stems"),
        (["align", "silent.wav", "-o", "out"], "silent"),
        (["align", "nan.wav", "-o", "out"], "nan.wav"),
        (["align", "text.wav", "-o", "out"], "text.wav"),
        (["align", "cut.flac", "-o", "out"], "cut.flac"),
        (["align", "none.wav", "-o", "out"], "none.wav"),
        (["align", "mixed", "-o", "out"], "sample rate"),
        (["align", "TAKE", "-o", "out", "--bpm", "1000"], "1000"),
        (["align", "TAKE", "-o", "out", "--bpm", "112", "--first-beat", "99"], "first beat"),
        (["align", "TAKE", "-o", "TAKE", *TEMPO], "-o"),
        (["align", "TAKE", "-o", "out", "--grid", "1/7"], "1/7"),
        (["align", "TAKE", "-o", "out", "--grid", "1/8T", "--swing", "60"], "swing"),
        (["align", "TAKE", "-o", "out", "--engine", "magic"], "magic"),
        (["detect", "TAKE", "--engine", "magic"], "neural"),
        (["compare", "TAKE", "--engine", "magic"], "onset-quantise"),
        (["align", "TAKE", "-o", "out", "--positions", "furthest"], "nearest"),
        (["detect", "TAKE", *CLASSICAL, "--merge-window", "20"], "merge window"),
        (["detect", "TAKE", "--sensitivity", "150"], "sensitivity"),
        (["align", "TAKE", "-o", "out", "--bars", "five"], "--bars"),
        (["align", "TAKE", "-o", "out", "--bars", "9-2"], "9-2"),
        (["align", "TAKE", "-o", "out", "--bars", "9-"], "--bars"),
        (["align", "TAKE", "-o", "out", "--groove", "TAKE", "--grid", "1/16+1/8T"], "1/16+1/8T"),
        (["align", "TAKE", "-o", "out", "--role", "tuba=kick"], "tuba"),
        (["align", "TAKE", "-o", "out", "--role", "kick=tuba"], "tuba"),
        (["align", "TAKE", "-o", "out", "--trigger", "tuba"], "tuba"),
        (["align", "TAKE", "-o", "out", "--group", "kick,tuba", *TEMPO], "tuba"),
        (["align", "TAKE", "-o", "out", "--tempo-map", "text.wav"], "text.wav"),
        (["align", "TAKE", "-o", "out", "--click", "silent.wav"], "click"),
        (["align", "TAKE", "-o", "out", "--groove", "text.json"], "text.json"),
        (["align", "TAKE", "-o", "out", "--bpm", "100", "--click", "silent.wav"], "one place"),
        (["align", "TAKE", "-o", "text.wav", *TEMPO], "text.wav"),
        (["align", "TAKE", "-o", "out", *TEMPO, "--render", "splice", "--flam", "9"], "--flam would do nothing"),
        (["align", "TAKE", "-o", "out", *TEMPO, *CLASSICAL, "--repair-bars", "2"], "--repair-bars would do nothing"),
        (["align", "TAKE", "-o", "out", *TEMPO, "--leave-bars", "two"], "--leave-bars wants FIRST-LAST or one bar"),
        (["align", "TAKE", "-o", "out", *TEMPO, "--leave-bars", "5-2"], "ends before it starts: 5-2"),
        (["align", "TAKE", "-o", "out", *TEMPO, "--lock", "soon"], "--lock wants SECONDS or SECONDS=BAR:BEAT"),
        (["align", "TAKE", "-o", "out", *TEMPO, "--lock", "0.62"], "no hit lies within 20 ms of 0.62 s"),
        (["align", "TAKE", "-o", "out", *TEMPO, "--lock", "0.5=99:1"], "outside the take"),
        (["align", "TAKE", "-o", "out", *TEMPO, "--lock", f"0.5={10**25}:1"], "no take has a bar"),
        (["align", "TAKE", "-o", "out", *TEMPO, *CLASSICAL, "--flam", "0"], "--flam would do nothing"),
        (
            ["align", "TAKE", "-o", "out", *TEMPO, "--groove-bpm", "100"],
            "--groove-bpm and --groove-first-beat would",
        ),
        (["align", "TAKE", "-o", "out", *TEMPO, "--clicks-per-beat", "2"], "clicks per beat would do nothing"),
        (["align", "TAKE", "-o", "out", *TEMPO, "--strength", "0.8"], "--strength: wants per cent, 0 to 100 (80,"),
        (["align", "TAKE", "-o", "out", *TEMPO, "--keep-feel", "101"], "--keep-feel: wants per cent, 0 to 100"),
        (["align", "TAKE", "-o", "out", *TEMPO, "--swing", "80"], "--swing: wants per cent, 50 to 75"),
        (["align", "TAKE", "-o", "out", *TEMPO, "--piece-strength", "tom=.5"], "PIECE=PERCENT"),
        (["align", "TAKE", "-o", "", *TEMPO], "wants a folder"),
        (["detect", "TAKE", "--merge-window", "5"], "--merge-window would do nothing"),
        (["align", "x" * 300, "-o", "out"], "File name too long"),
        (["detect", "samples.raw"], "samples.raw"),
        (["align", "TAKE"], "-o"),
        (["render", "TAKE", "text.json", "-o", "out"], "text.json"),
        (["compare", "TAKE", "--target", "silent.wav", *TEMPO], "silent.wav"),
        (["frobnicate"], "frobnicate"),
    ],
)
def test_bad_input_ends_in_one_line(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "mixed").mkdir()
    sf.write("mixed/a.wav", np.ones(100) * 0.1, 44_100)
    sf.write("mixed/b.wav", np.ones(100) * 0.1, 48_000)
    sf.write("silent.wav", np.zeros(44_100), 44_100)
    sf.write("none.wav", np.zeros(0), 44_100)
    Path("samples.raw").write_bytes(bytes(1_000))
    sf.write("nan.wav", np.full(44_100, np.nan), 44_100, subtype="FLOAT")
    for name in ("text.wav", "text.json"):
        Path(name).write_text("no audio, no plan")
    Path("cut.flac").write_bytes((TAKE / "kick.flac").read_bytes()[:50_000])
    before = set(TAKE.iterdir())
    try:
        status = main([str(TAKE) if argument == "TAKE" else argument for argument in arguments])
    except SystemExit as end:
        status = int(end.code or 0)
    printed = capsys.readouterr()
    assert status == 2
    assert printed.err.count("\n") == 1
    assert printed.err.startswith("beatnet-align: error: ")
    assert message in printed.err
    assert printed.out == ""
    assert not (tmp_path / "out").exists()
    assert set(TAKE.iterdir()) == before


def test_bars_that_the_take_does_not_have_move_nothing_and_that_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["align", str(TAKE), "-o", str(tmp_path / "out"), *TEMPO, "--bars", "90-99"]) == 0
    printed = capsys.readouterr()
    assert re.match(r"0 of \d+ hits moved; ", printed.out)
    assert printed.err == "note: bars 90-99 are not in the take, which has bars 1 to 5\n"


@pytest.mark.parametrize("positions", ["neural", "nearest"])
def test_locked_hits_and_left_bars_are_told(positions: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["align", str(TAKE), "-o", str(tmp_path / "out"), *TEMPO, "--positions", positions, "--report-hits"]
    arguments += ["--leave-bars", "1", "--leave-bars", "3-9", "--lock", "2.35", "--lock", "3.02=2:1.5"]
    assert main(arguments) == 0
    moves = json.loads((tmp_path / "out" / "edits.json").read_text())["moves"]
    reported = [line.split() for line in capsys.readouterr().out.split("\n\n")[0].splitlines()[1:]]
    in_second = {cells[0] for cells in reported if cells[3].startswith("2:")}
    assert {cells[0] for cells in reported if "outside_bars" not in cells} == {*in_second, "2.3485"}
    (stays, goes) = (next(move for move in moves if abs(move["onset_seconds"] - at) < 0.003) for at in (2.35, 3.02))
    assert (stays["destination_seconds"], stays["line_beats"]) == (stays["onset_seconds"], None)
    assert (goes["destination_seconds"], goes["line_beats"]) == (pytest.approx(0.5 + 4.5 * 60 / 112, abs=2e-5), 4.5)
    assert "locked" in stays["flags"] and "locked" in goes["flags"]
    assert sum("locked" in cells for cells in reported) == sum("locked" in move["flags"] for move in moves)


def test_stems_may_be_named_where_channels_are_meant(tmp_path: Path) -> None:
    channels, stem = tmp_path / "channels", tmp_path / "stem"
    for out, group in ((channels, "overheads.L,overheads.R"), (stem, "overheads")):
        assert main(["align", str(TAKE), "-o", str(out), *TEMPO, "--group", group]) == 0
    assert (channels / "overheads.flac").read_bytes() == (stem / "overheads.flac").read_bytes()


@pytest.mark.parametrize("engine", Engine)
def test_silence_has_no_hits_and_that_is_said(
    engine: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sf.write(tmp_path / "silent.wav", np.zeros(44_100), 44_100)
    assert main(["detect", str(tmp_path / "silent.wav"), "--json", "--engine", engine]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out) == {"hits": []}
    assert "no hits" in printed.err


def test_compare_replaces_no_picture_without_force(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "before_after.png").write_text("mine")
    assert main(["compare", str(TAKE), "-o", str(tmp_path), *TEMPO]) == 2
    assert "--force" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["before_after.png"]
    assert (tmp_path / "before_after.png").read_text() == "mine"


def test_names_that_say_nothing_and_a_plan_of_another_name_are_told(
    nameless_take: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    for command in (["align", str(nameless_take), "-o", str(out), *TEMPO], ["detect", str(nameless_take)]):
        assert main(command) == 0
        assert "do not say what they are for; hits are told apart better with --role" in capsys.readouterr().err
    assert main(["detect", str(TAKE)]) == 0
    assert capsys.readouterr().err == ""
    nameless_take.rename(tmp_path / "other")
    assert main(["render", str(tmp_path / "other"), str(out / "edits.json"), "-o", str(tmp_path / "again")]) == 0
    assert "the plan was made of a take called 'nameless', not 'other'" in capsys.readouterr().err


def test_what_groups_cost_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["align", str(TAKE), "-o", str(tmp_path / "out"), *TEMPO, *CLASSICAL]
    for groups, told in (([], 0), (["--group", "kick"], 1), (["--group", "kick", "--group", "snare_top,overheads"], 1)):
        assert main([*command, *groups, "--force"]) == 0
        assert capsys.readouterr().err.count("cut apart from other microphones") == told


def test_networks_keep_nothing_of_who_runs_them(tmp_path: Path) -> None:
    home = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    home |= {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache"), "MPLCONFIGDIR": str(tmp_path / "mpl")}
    command = [sys.executable, "-m", "beatnet_align", "detect", str(TAKE)]
    run = subprocess.run(command, env=home, capture_output=True, text=True, check=True)
    assert run.stderr == ""
    assert not [path for path in tmp_path.rglob("*") if "onnx" in str(path).lower()]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_behind_the_output_is_told() -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "beatnet_align", "detect", str(TAKE), *CLASSICAL]
        run = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (run.returncode, run.stderr) == (2, "beatnet-align: error: No space left on device\n")


def test_a_target_that_does_not_fit_is_told_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sf.write(tmp_path / "target.wav", np.zeros(44_100), 44_100)
    target, out = tmp_path / "target.wav", tmp_path / "out"
    assert main(["compare", str(TAKE), "--target", str(target), "-o", str(out), *TEMPO]) == 2
    assert "the target" in capsys.readouterr().err
    assert not out.exists()


def test_nothing_is_overwritten_without_force(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "kick.flac").write_text("mine")
    assert main(["align", str(TAKE), "-o", str(out), *TEMPO]) == 2
    assert "--force" in capsys.readouterr().err
    assert [path.name for path in out.iterdir()] == ["kick.flac"]
    assert (out / "kick.flac").read_text() == "mine"
    assert main(["align", str(TAKE), "-o", str(out), *TEMPO, "--force"]) == 0
    assert sf.info(out / "kick.flac").frames == sf.info(TAKE / "kick.flac").frames


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_run_leaves_no_final_name_and_can_be_repeated(tmp_path: Path, how: signal.Signals) -> None:
    rng = np.random.default_rng(0)
    (tmp_path / "take").mkdir()
    clicks = np.zeros(44_100 * 60, np.float32)
    clicks[::22_050] = 0.5
    for name in ("kick", "snare", "oh"):
        sf.write(tmp_path / "take" / f"{name}.wav", clicks + rng.standard_normal(len(clicks)) * 1e-4, 44_100, "PCM_24")
    command = [sys.executable, "-m", "beatnet_align", "align", "take", "-o", "out", "--bpm", "120", "--first-beat", "0"]
    command += CLASSICAL  # what is written matters here, and clicks are no drums to a network
    process = subprocess.Popen(command, cwd=tmp_path)
    deadline = time.perf_counter() + 60
    while not list(tmp_path.glob("out/.*.partial")) and process.poll() is None and time.perf_counter() < deadline:
        time.sleep(0.002)
    process.send_signal(how)
    killed = process.wait() != 0
    final = [path for path in tmp_path.glob("out/*") if not path.name.startswith(".")]
    assert killed and not final
    if how is signal.SIGTERM:
        assert not (tmp_path / "out").exists()
    assert subprocess.run([*command, "--force"], cwd=tmp_path, check=False).returncode == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "edits.json",
        "kick.wav",
        "oh.wav",
        "snare.wav",
    ]


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
def test_an_interrupt_cleans_up(tmp_path: Path) -> None:
    code = (
        "import sys, beatnet_align.effect as effect\n"
        "def stop(*_): raise KeyboardInterrupt\n"
        "effect.plan_to_json = stop\n"
        "from beatnet_align.cli import main\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    arguments = [sys.executable, "-c", code, "align", str(TAKE), "-o", str(tmp_path / "out"), *TEMPO]
    run = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert run.returncode == 130
    assert run.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()
