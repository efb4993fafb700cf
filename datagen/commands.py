"""What every command of the generator and the lab does with input that cannot be used: one line, and exit status 2."""

import argparse
import sys
from collections.abc import Callable

from beatnet_align.errors import BeatnetAlignError, told
from beatnet_align.onnx_networks import other_weights_remarks

EXIT_BAD_INPUT = 2


def exit_status(run: Callable[[argparse.Namespace], None], chosen: argparse.Namespace) -> int:
    """Run a command: 0, or 2 where something given cannot be used."""
    try:
        for remark in other_weights_remarks():
            print(f"note: {remark}", file=sys.stderr)
        run(chosen)
    except BeatnetAlignError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_BAD_INPUT
    except OSError as error:
        print(f"error: {told(error)}", file=sys.stderr)
        return EXIT_BAD_INPUT
    return 0
