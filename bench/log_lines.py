"""Access lines for the benches, as they look in life, in several formats."""

import random

HOST = "cart.shop.svc.clusterset.local"
TIMED = (
    '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent '
    '"$http_referer" "$http_user_agent" $request_time "$host"'
)
JSON = (
    'escape=json {"time":"$time_iso8601","client":"$remote_addr","request":"$request",'
    '"status":$status,"bytes":$body_bytes_sent,"agent":"$http_user_agent","took":$request_time,'
    '"host":"$host"}'
)
AGENTS = (
    "curl/8.5.0",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0",
    "Go-http-client/1.1",
    "python-requests/2.32.3",
)
WILD_ADDRESSES = 250_000


def requests(number):
    """Yield the parts of lines in which requests look as they do in life."""
    chance = random.Random(1)
    for n in range(number):
        net = chance.choice((1, 1, 1, 2))
        agent = chance.choice(AGENTS)
        if n % 50 == 0:
            agent = (
                f"clusterset-exporter/0.1.0 (cluster=west; service=shop/cart; id=1794000{n:06}-abc)"
            )
        yield {
            "address": f"10.{net}.{chance.randrange(20)}.{chance.randrange(1, 200)}",
            "clock": f"07:{n // 60 % 60:02}:{n % 60:02}",
            "request": f"GET /api/v1/items/{chance.randrange(10_000)}?page={n % 9} HTTP/1.1",
            "status": chance.choice((200, 200, 200, 200, 304, 404, 502)),
            "size": chance.randrange(100, 20_000),
            "agent": agent,
            "took": f"{chance.expovariate(20):.3f}",
        }


def wild_lines(number, addresses=WILD_ADDRESSES):
    """Yield lines of many clients, IPv4 and IPv6; one in ten is a probe, one in 1,000 noise."""
    chance = random.Random(2)
    clients = [
        f"10.{chance.choice((1, 1, 2, 3))}.{chance.randrange(256)}.{chance.randrange(256)}"
        if n % 2
        else f"2001:db8:{chance.choice('123')}::{n >> 16:x}:{n & 0xFFFF:x}"
        for n in range(addresses)
    ]
    shapes = list(requests(5_000))
    probe = "clusterset-exporter/0.1.0 (cluster=west; service=shop/cart; id=1794000{:06}-abc)"
    for n in range(number):
        if n % 1_000 == 500:
            yield f"2022/07/07 07:42:11 [error] 31#31: *{n} connect() failed\n"
            continue
        shape = shapes[n % len(shapes)] | {"address": chance.choice(clients)}
        shape["agent"] = AGENTS[n % len(AGENTS)] if n % 10 else probe.format(n)
        yield main_line(shape)


def distinct_lines(number):
    """Yield lines whose clients are all different, IPv4 and IPv6 in turns; fewer than 2 ** 24."""
    shape = next(requests(1)) | {"agent": AGENTS[0]}
    for n in range(number):
        ipv4 = f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}"
        ipv6 = f"2001:db8:1::{n >> 16:x}:{n & 0xFFFF:x}"
        yield main_line(shape | {"address": ipv4 if n % 2 else ipv6})


def main_line(r):
    return (
        f'{r["address"]} - - [07/Jul/2022:{r["clock"]} +0000] "{r["request"]}" {r["status"]} '
        f'{r["size"]} "-" "{r["agent"]}" "-"\n'
    )


def timed_line(r):
    return main_line(r)[:-4] + f'{r["took"]} "{HOST}"\n'


def cri_line(r):
    return f"2022-07-07T{r['clock']}.123456789Z stdout F {main_line(r)}"


def json_line(r):
    return (
        f'{{"time":"2022-07-07T{r["clock"]}+00:00","client":"{r["address"]}",'
        f'"request":"{r["request"]}","status":{r["status"]},"bytes":{r["size"]},'
        f'"agent":"{r["agent"]}","took":{r["took"]},"host":"{HOST}"}}\n'
    )


WRITE = {"main": main_line, "timed": timed_line, "cri": cri_line, "json": json_line}


def write(path, task, number):
    """Write a log of so many lines, a multiple of 20,000."""
    if task == "wild":
        with path.open("w") as file:
            file.writelines(wild_lines(number))
        return
    made = [WRITE[task](r) for r in requests(20_000)]
    with path.open("w") as file:
        for _ in range(number // len(made)):
            file.writelines(made)
