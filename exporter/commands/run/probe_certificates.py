"""The files of the TLS settings of probes, read again whenever one of them changes."""

import asyncio
import ssl
from collections.abc import AsyncIterable, Callable, Collection, Mapping

import structlog

from exporter.commands.probe_tls import Stamps, take_stamps, tls_context, tls_files
from exporter.commands.run.problems import Problems
from exporter.config.http_settings import TlsSettings
from exporter.config.yaml_reader import SettingsError
from exporter.files.stamp import FileStamp

PROBLEM = "probe certificates"
Contexts = Mapping[TlsSettings, ssl.SSLContext]

log = structlog.get_logger()


class ProbeCertificates:
    """
    Watches certificates, keys and CAs of probes, so that renewed ones need no restart.

    Args:
        use: Called with the contexts of each version of the files that can be used.
        changing: Held while contexts change, because a reload reads the files, too.
        problems: Shows why a version of the files cannot be used; the contexts before it stay.
    """

    def __init__(
        self, use: Callable[[Contexts], None], changing: asyncio.Lock, problems: Problems
    ) -> None:
        self._use, self._changing, self._problems = use, changing, problems

    async def watch(self, wanted: Collection[TlsSettings], ticks: AsyncIterable[None]) -> None:
        """Look at the files of *wanted* at each of *ticks*. Symlinks are followed."""
        files = tls_files(wanted)
        # Before the first look they may have changed since they were read at the start.
        stamps: Stamps = dict.fromkeys(files, FileStamp(0, 0, 0, 0))
        try:
            async for _ in ticks:
                # Taken before the files are read: a change while they are read is seen later.
                newest = await asyncio.to_thread(take_stamps, files)
                if newest != stamps:
                    stamps = newest
                    async with self._changing:
                        await self._read(wanted)
        finally:
            self._problems.solved(PROBLEM)

    async def _read(self, wanted: Collection[TlsSettings]) -> None:
        try:
            made = await asyncio.to_thread(_contexts, wanted)
        except SettingsError as error:
            log.error("probe certificates rejected", error=str(error))  # noqa: TRY400 - one line
            self._problems.problem(PROBLEM, f"{error}; the files that were read before are used")
            return
        self._problems.solved(PROBLEM)
        self._use(made)


def _contexts(wanted: Collection[TlsSettings]) -> Contexts:
    return {each: tls_context(each, "probe") for each in wanted}
