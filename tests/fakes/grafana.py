"""What Grafana does with a board before a Prometheus sees its queries: variables, macros, steps."""

import json
import math
import re
import urllib.error
import urllib.parse
import urllib.request

from tests.fakes.boards import panels

ALL = "$__all"
NICE_STEPS = (1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1200, 1800, 3600)
PIXELS = 1600 / 24
"""A panel asks for a point a pixel of its width, which the board has in 24 columns."""
LIMIT = 60
_PLACE = re.compile(r"\$\{(\w+)(?::\w+)?\}|\$(\w+)")


class RefusedError(Exception):
    """Prometheus does not take a query."""


class Prometheus:
    """The HTTP API of a Prometheus."""

    def __init__(self, url):
        self._url = url.rstrip("/")

    def ask(self, path, **query):
        text = urllib.parse.urlencode(query, doseq=True)
        try:
            with urllib.request.urlopen(
                f"{self._url}/api/v1/{path}?{text}", timeout=LIMIT
            ) as reply:
                return json.load(reply)["data"]
        except urllib.error.HTTPError as error:
            raise RefusedError(json.load(error)["error"]) from error


class View:
    """
    A board looked at: its variables have values, and its queries can be run.

    Args:
        board: The board's JSON.
        prometheus: The data source.
        start: Of the time range, unix seconds.
        end: Of the time range.
        scrape: Seconds between scrapes.
        chosen: Values of variables that are not as the board sets them.
    """

    def __init__(self, board, prometheus, *, start, end, scrape=15, chosen=()):
        self.board = board
        self._prometheus = prometheus
        self._start, self._end, self._scrape = start, end, scrape
        self.values = {}
        self.options = {}
        for variable in board["templating"]["list"]:
            self._take(variable, dict(chosen).get(variable["name"]))

    def _take(self, variable, chosen):
        name = variable["name"]
        if variable["type"] != "query":
            self.values[name] = variable["query"]
            return
        series, label = re.fullmatch(
            r"label_values\((.+), (\w+)\)", self.filled(variable["query"]["query"])
        ).groups()
        self.options[name] = self._prometheus.ask(
            f"label/{label}/values", **{"match[]": series}, start=self._start, end=self._end
        )
        if chosen is not None:
            self.values[name] = chosen
        elif variable.get("current", {}).get("value") == [ALL]:
            self.values[name] = variable["allValue"]
        else:
            self.values[name] = (self.options[name] or [""])[0]

    def filled(self, text, macros=()):
        """Return *text* with variables and macros in place; `$1` of label_replace stays."""
        known = {**self.values, **dict(macros)}

        def one(match):
            name = match[1] or match[2]
            if name.isdigit():
                return match[0]
            return known[name]

        return _PLACE.sub(one, text)

    def step(self, panel):
        width = panel.get("gridPos", {}).get("w", 24) * PIXELS
        wanted = (self._end - self._start) / panel.get("maxDataPoints", width)
        nice = next((step for step in NICE_STEPS if step >= wanted), math.ceil(wanted))
        return max(nice, self._scrape)

    def _macros(self, step):
        return {
            "__interval": f"{step}s",
            "__rate_interval": f"{max(step + self._scrape, 4 * self._scrape)}s",
            "__range": f"{round(self._end - self._start)}s",
            "__from": f"{self._start * 1000:.0f}",
            "__to": f"{self._end * 1000:.0f}",
        }

    def run(self, panel, target):
        """Return the series that a query of a panel answers."""
        step = self.step(panel)
        query = self.filled(target["expr"], self._macros(step))
        if target.get("instant"):
            return self._prometheus.ask("query", query=query, time=self._end)["result"]
        between = {"start": self._start // step * step, "end": self._end // step * step}
        return self._prometheus.ask("query_range", query=query, step=step, **between)["result"]

    def annotations(self):
        """Yield each annotation's name and series."""
        for each in self.board["annotations"]["list"]:
            yield each["name"], self.run({}, each)

    def shown(self):
        """Yield each panel with a query, and whether a number stands behind it."""
        for panel in panels(self.board):
            if panel.get("targets"):
                yield panel, any(numbers(self.run(panel, each)) for each in panel["targets"])


def numbers(result):
    """Return how many numbers, not NaN, are in a result."""
    return sum(
        value != "NaN" for each in result for _, value in each.get("values", [each.get("value")])
    )
