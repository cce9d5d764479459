"""A real Chromium, spoken to by its DevTools protocol."""

import asyncio
import base64
from contextlib import asynccontextmanager

import aiohttp

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
)
LIMIT = 30


class Tab:
    """One page."""

    def __init__(self, socket):
        self._socket = socket
        self._last = 0
        self.errors = []

    async def call(self, method, **params):
        self._last += 1
        await self._socket.send_json({"id": self._last, "method": method, "params": params})
        async with asyncio.timeout(LIMIT):
            async for message in self._socket:
                told = message.json()
                if told.get("method") in {"Runtime.exceptionThrown", "Log.entryAdded"}:
                    self.errors.append(told["params"])
                if told.get("id") == self._last:
                    assert "error" not in told, told
                    return told["result"]
        msg = "the browser hung up"
        raise EOFError(msg)

    async def open(self, url, *, width=1000, height=1400, dark=False):
        for domain in ("Runtime", "Log", "Page"):
            await self.call(f"{domain}.enable")
        await self.resize(width, height)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.call("Emulation.setEmulatedMedia", features=[scheme])
        await self.call("Page.navigate", url=url)
        await self.until("document.readyState === 'complete' && location.href !== 'about:blank'")

    async def resize(self, width, height, *, scale=1):
        await self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=scale,
            mobile=False,
        )

    async def value(self, expression):
        answer = await self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    async def until(self, expression):
        async with asyncio.timeout(LIMIT):
            while not await self.value(expression):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.05)

    async def text(self):
        return await self.value("document.body.innerText")

    async def picture(self):
        answer = await self.call("Page.captureScreenshot", format="png")
        return base64.b64decode(answer["data"])


@asynccontextmanager
async def browser(binary, folder):
    """Yield a tab of a headless Chromium whose profile is in *folder*."""
    process = await asyncio.create_subprocess_exec(
        *(binary, *FLAGS, f"--user-data-dir={folder}", "about:blank"),
        stderr=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        port_file = folder / "DevToolsActivePort"
        async with asyncio.timeout(LIMIT):
            while not port_file.exists() or not port_file.read_text().count("\n"):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        port = port_file.read_text().split()[0]
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{port}/json/list") as reply:
                pages = [each for each in await reply.json() if each["type"] == "page"]
            async with session.ws_connect(
                pages[0]["webSocketDebuggerUrl"], max_msg_size=1 << 25
            ) as socket:
                yield Tab(socket)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
