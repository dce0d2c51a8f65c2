"""Two blocks of a file at a time: one connection cannot keep two cores busy with one block."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from queue import SimpleQueue
from types import TracebackType
from typing import Self

from label_platform.lake import Engine
from label_platform.logs.records import Records

WRITERS = 2
Write = Callable[[Engine], None]


class BlockWriters:
    """Threads with a connection each, which take blocks as they come; two are in memory at most.

    Args:
        engine: has the tables that are written.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._stack = ExitStack()
        self._idle: SimpleQueue[Engine] = SimpleQueue()
        self._running: deque[Future[None]] = deque()
        self._is_parallel = False

    def __enter__(self) -> Self:
        self._threads = self._stack.enter_context(ThreadPoolExecutor(WRITERS))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._stack:
            while self._running:
                self._finish_one(raises=kind is None)

    def register(self, records: Records) -> None:
        """Let the engine itself read a block too, to look at its columns."""
        for name, block in records.blocks.items():
            self._engine.register(name, block)

    def submit(self, records: Records, write: Write) -> None:
        """Write a block as soon as a connection is free.

        Args:
            records: the block; its relation is registered on that connection.
            write: what to do there.
        """
        if not self._is_parallel:
            self._stack.enter_context(self._engine.single_threaded())
            self._is_parallel = True
        if len(self._running) >= WRITERS:
            self._finish_one(raises=True)
        self._running.append(self._threads.submit(self._run, records, write))

    def _run(self, records: Records, write: Write) -> None:
        engine = self._idle.get() if not self._idle.empty() else self._open()
        for name, block in records.blocks.items():
            engine.register(name, block)
        write(engine)
        self._idle.put(engine)

    def _open(self) -> Engine:
        return self._stack.enter_context(self._engine.sibling())

    def _finish_one(self, *, raises: bool) -> None:
        future = self._running.popleft()
        if raises:
            future.result()
        else:
            future.exception()
