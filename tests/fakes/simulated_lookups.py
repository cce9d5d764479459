"""The name server of a simulated run, and the probes that ask it."""

import math
from ipaddress import ip_address

from exporter.model.probes import Answer, Failure, Probe, Protocol, Question, Reply
from tests.fakes.nouns import ADDRESSES, NGINX
from tests.fakes.simulated import REPLICAS
from tests.fakes.simulated_hits import START
from tests.fakes.simulated_world import VIP

TIMEOUT = 2.0
ADDRESS = {letter: ip_address(text) for letter, text in ADDRESSES.items()}
NAMED = {address: letter for letter, address in ADDRESS.items()}
VIP_ADDRESS = ip_address(VIP)
PLAIN = Question(NGINX)
PINNED = {letter: Question(NGINX, letter) for letter in ADDRESSES}


class Lookups:
    """
    Makes probes.

    Args:
        world: What is true.
    """

    def __init__(self, world):
        self.world, self.family = world, world.family
        self.chance, self.more = world.chance, world.more
        self.lost = False
        self.caches, self.kept_until = {}, 0.0
        self.turn = [0] * REPLICAS

    def _answer(self, now):
        """Return the clusters that a replica answers, through its cache."""
        replica = self.chance.randrange(REPLICAS)
        held, until = self.caches.get(replica, ((), -1.0))
        if now < until:
            self.kept_until = until
            return held
        found = self.world.named[replica].at(now)
        self.turn[replica] += 1
        if self.family.headless:
            names = tuple(found)
        elif self.world.bias and self.more.random() < 0.8:
            names = (found[0],) if found else ()
        else:
            names = (found[self.turn[replica] % len(found)],) if found else ()
        self.kept_until = now + self.world.ttl
        self.caches[replica] = (names, self.kept_until)
        return names

    def plain(self, now):
        """Return the plain probe that starts now, and the clusters in its answer."""
        answered = self._answer(now)
        # Two in a row would be an outage in truth.
        self.lost = not self.lost and self.chance.random() < self.world.loss
        asked = self.chance.choice(answered) if answered and not self.lost else None
        # A cache says how long it will keep its answer; the name server itself says 5 s.
        ttl = math.ceil(self.kept_until - now) if self.world.ttl else 5
        return self._made(now, PLAIN, answered, asked, lost=self.lost, ttl=ttl)

    def pinned(self, now, cluster):
        """Return the probe of a pinned name that starts now, and the clusters in its answer."""
        replica = self.more.randrange(REPLICAS)
        key = (replica, cluster)
        held, until = self.caches.get(key, ((), -1.0))
        if now >= until:
            held = (cluster,) if self.world.pinned[replica][cluster].at(now) else ()
            self.caches[key] = (held, now + self.world.ttl)
        lost = self.more.random() < self.world.loss
        return self._made(now, PINNED[cluster], held, cluster if held else None, lost=lost)

    def _made(self, now, question, answered, asked, *, lost, ttl=5):
        if lost or not answered:
            took, answered = TIMEOUT if lost else 0.002, ()
            none = Failure.NXDOMAIN if question.pinned and not self.family.headless else None
            failure = Failure.TIMEOUT if lost else none or Failure.NODATA
            answer, replied = Answer(took=took, failure=failure), None
        else:
            vip, took = self.family.vip and question.pinned is None, 0.003
            names = (VIP_ADDRESS,) if vip else tuple(ADDRESS[each] for each in answered)
            answer = Answer(addresses=names, ttl=ttl, took=0.001)
            replied = reply(
                VIP_ADDRESS if vip else ADDRESS[asked], self.world.serves[asked].at(now)
            )
        made = Probe(
            question=question,
            at=now,
            ended=now + took,
            unix=START + now,
            answer=answer,
            reply=replied,
            protocol=Protocol.HTTP,
        )
        return made, answered


def reply(address, serves):
    """Return what *address* replies."""
    if not serves:
        return Reply(address=address, port=8080, failure=Failure.CONNECT_REFUSED)
    return Reply(address=address, port=8080, status=200, connect=0.001, took=0.001)
