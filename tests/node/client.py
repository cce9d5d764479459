"""
Sends requests at a rate, each on a connection of its own.

Writes the moment at which each one was answered, in unix seconds, and why how many were not. A
request that was sent is waited for much longer than any answer takes: nginx may answer one late,
and counts it.
"""

import asyncio
import json
import sys
import time
from collections import Counter
from contextlib import closing

LIMIT = 60.0


async def ask(host, port, source, failed):
    """Return when one request was answered; None if it was not."""
    step = "connect"
    try:
        async with asyncio.timeout(LIMIT):
            reader, writer = await asyncio.open_connection(host, port, local_addr=source)
            with closing(writer):
                step = "answer"
                head = f"GET / HTTP/1.1\r\nHost: {host}\r\n"
                writer.write(f"{head}User-Agent: client\r\nConnection: close\r\n\r\n".encode())
                if (await reader.read()).startswith(b"HTTP/1.1 200"):
                    return time.time()
                failed[f"{step}: another one"] += 1
    except (OSError, TimeoutError) as error:
        failed[f"{step}: {type(error).__name__}"] += 1
    return None


async def main(host, port, count, rate, *source):
    loop = asyncio.get_running_loop()
    local = (source[0], 0) if source else None
    begin, tasks, failed = loop.time(), [], Counter()
    for number in range(int(count)):
        await asyncio.sleep(max(0.0, begin + number / float(rate) - loop.time()))
        tasks.append(asyncio.create_task(ask(host, int(port), local, failed)))
    moments = await asyncio.gather(*tasks)
    answered = [each for each in moments if each is not None]
    sys.stdout.write(json.dumps({"answered": answered, "failed": failed}))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
