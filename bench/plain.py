"""The way an access log is usually read in Python: a line at a time, by a pattern with names."""

import re
import sys
from collections import Counter

LINE = re.compile(
    r'(?P<address>\S+) - (?P<user>.*?) \[(?P<time>[^\]]+)\] "(?P<request>[^"]*)" '
    r'(?P<status>\d{3}) (?P<size>\d+) "(?P<referer>[^"]*)" "(?P<agent>[^"]*)" "(?P<xff>[^"]*)"'
)
requests, size, probes, nets = Counter(), Counter(), 0, {}
with open(sys.argv[1], encoding="utf-8", errors="replace") as file:  # noqa: PTH123 - as usual
    for line in file:
        matched = LINE.match(line)
        if matched is None:
            continue
        if matched["agent"].startswith("clusterset-exporter/"):
            probes += 1
            continue
        address = matched["address"]
        net = nets.get(address)
        if net is None:
            net = nets[address] = ".".join(address.split(".")[:2])
        requests[net, matched["status"]] += 1
        size[net] += int(matched["size"])
print(sum(requests.values()) + probes)
