"""Sends requests at a rate, each on a connection of its own; writes how many were answered."""

import asyncio
import json
import sys

LIMIT = 5.0


async def ask(host, port):
    """Return the status of one request, 0 if there was none."""
    try:
        async with asyncio.timeout(LIMIT):
            reader, writer = await asyncio.open_connection(host, port)
            head = (
                f"GET / HTTP/1.1\r\nHost: {host}\r\nUser-Agent: client\r\nConnection: close\r\n\r\n"
            )
            writer.write(head.encode())
            answer = await reader.read()
            writer.close()
            return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/") else 0
    except (OSError, TimeoutError, ValueError, IndexError):
        return 0


async def main(host, port, count, rate):
    loop = asyncio.get_running_loop()
    begin, tasks = loop.time(), []
    for number in range(int(count)):
        await asyncio.sleep(max(0.0, begin + number / float(rate) - loop.time()))
        tasks.append(asyncio.create_task(ask(host, int(port))))
    statuses = await asyncio.gather(*tasks)
    answered = statuses.count(200)
    sys.stdout.write(json.dumps({"answered": answered, "failed": len(statuses) - answered}))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
