"""The stages that watch the files of probes: keys that sign, and certificates."""

import asyncio
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from exporter.commands.load import RuntimeConfig
from exporter.commands.probe_tls import tls_files
from exporter.commands.run.probe_certificates import Contexts, ProbeCertificates
from exporter.commands.run.probe_keys import ProbeKeys
from exporter.commands.run.problems import Problems
from exporter.commands.run.stages import WantedStage, ticking
from exporter.model.stages import StageName

CERTIFICATES_CHECK = 1.0
"""Seconds between two looks at the files of the TLS settings of probes."""
KEYS_CHECK = 5.0
"""Seconds between two looks at the key file."""


class ProbeFiles:
    """
    Watches the files that probes need, as far as a configuration names any.

    Args:
        use_keys: Called with the keys of each usable version of the key file.
        use_tls: Called with the TLS contexts of each usable version of their files.
        changing: Held while one of them is called, because a reload reads the files, too.
        problems: Shows why a version cannot be used; the one before it stays.
    """

    def __init__(
        self,
        use_keys: Callable[[tuple[bytes, ...]], None],
        use_tls: Callable[[Contexts], None],
        changing: asyncio.Lock,
        problems: Problems,
    ) -> None:
        self._keys = ProbeKeys(use_keys, changing, problems)
        self._certificates = ProbeCertificates(use_tls, changing, problems)

    def stages(self, loaded: RuntimeConfig) -> Iterator[WantedStage]:
        """Yield the stages that *loaded* needs."""
        if (key_file := loaded.settings.probe_key_file) is not None:
            watch = ticking(partial(self._keys.watch, Path(key_file)), KEYS_CHECK)
            yield WantedStage(StageName.PROBE_KEYS, watch, key_file)
        if wanted := frozenset(each for each in loaded.probes.tls if tls_files([each])):
            watch = ticking(partial(self._certificates.watch, wanted), CERTIFICATES_CHECK)
            yield WantedStage(StageName.PROBE_CERTIFICATES, watch, wanted)
