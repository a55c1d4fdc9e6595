"""A way from containers to a port that listens on 127.0.0.1 only."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from functools import partial

_CHUNK_BYTES = 65_536


@contextlib.contextmanager
def forward(listen_host: str, target_host: str, target_port: int) -> Iterator[int]:
    """Forward connections from a free port of `listen_host` to the target while the block runs; yield that port.

    Raises:
        OSError: `listen_host` is no address of this machine.

    """
    listening: Future[int] = Future()
    loop = asyncio.new_event_loop()
    done = asyncio.Event()

    async def listen() -> None:
        try:
            server = await asyncio.start_server(partial(_serve, target_host, target_port), listen_host, 0)
        except OSError as error:
            listening.set_exception(error)
            return
        listening.set_result(server.sockets[0].getsockname()[1])
        await done.wait()
        server.close()

    def work() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:  # cuts what is still connected when it ends
            runner.run(listen())

    thread = threading.Thread(target=work, name="forwarder", daemon=True)
    thread.start()
    port = listening.result()
    try:
        yield port
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join()


async def _serve(
    target_host: str, target_port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Connect a client to the target, until both are done."""
    try:
        target_reader, target_writer = await asyncio.open_connection(target_host, target_port)
    except OSError:
        writer.close()
        return
    await asyncio.gather(_copy(reader, target_writer), _copy(target_reader, writer))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy until the sender is done, and then say so to the receiver; a broken connection ends the same way."""
    with contextlib.suppress(ConnectionError):
        while chunk := await reader.read(_CHUNK_BYTES):
            writer.write(chunk)
            await writer.drain()
    with contextlib.suppress(ConnectionError, RuntimeError):
        writer.close()
