"""A client of the API server that the command line, the pod or kubectl's file names."""

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from exporter.apiserver import auth
from exporter.apiserver.client import ApiClient
from exporter.apiserver.errors import CredentialsError
from exporter.config.yaml_reader import SettingsError


@asynccontextmanager
async def open_client(kubeconfig: str | None, context: str | None) -> AsyncIterator[ApiClient]:
    """
    Open a client of the API server that *kubeconfig* names, else of the pod's, else of kubectl's.

    Raises:
        SettingsError: If there are no credentials.
    """
    async with AsyncExitStack() as stack:
        try:
            source = await auth.find(os.environ, kubeconfig=kubeconfig, context=context)
            client = await stack.enter_async_context(ApiClient(source))
        except CredentialsError as error:
            raise SettingsError(str(error)) from error
        yield client
