"""
Sends requests at a rate, each on a connection of its own.

Writes the moment at which each one was answered, in unix seconds, and how many were not.
"""

import asyncio
import json
import sys
import time

LIMIT = 5.0


async def ask(host, port, source):
    """Return when one request was answered; None if it was not."""
    try:
        async with asyncio.timeout(LIMIT):
            reader, writer = await asyncio.open_connection(host, port, local_addr=source)
            head = (
                f"GET / HTTP/1.1\r\nHost: {host}\r\nUser-Agent: client\r\nConnection: close\r\n\r\n"
            )
            writer.write(head.encode())
            answer = await reader.read()
            writer.close()
            return time.time() if answer.startswith(b"HTTP/1.1 200") else None
    except (OSError, TimeoutError):
        return None


async def main(host, port, count, rate, *source):
    loop = asyncio.get_running_loop()
    local = (source[0], 0) if source else None
    begin, tasks = loop.time(), []
    for number in range(int(count)):
        await asyncio.sleep(max(0.0, begin + number / float(rate) - loop.time()))
        tasks.append(asyncio.create_task(ask(host, int(port), local)))
    moments = await asyncio.gather(*tasks)
    answered = [each for each in moments if each is not None]
    sys.stdout.write(json.dumps({"answered": answered, "failed": len(moments) - len(answered)}))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
