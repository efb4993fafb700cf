"""Make each block while the one before it is used: reading and computing overlap."""

from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Block = TypeVar("Block")


def ahead(blocks: Iterator[Block]) -> Generator[Block, None, None]:
    """The same blocks, one made ahead in another thread, which ends with them or when the generator is closed."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        coming = pool.submit(next, blocks, None)
        while (block := coming.result()) is not None:
            coming = pool.submit(next, blocks, None)
            yield block
