"""
A long run under mixed abuse: does anything grow, and is each scrape good?

The exporter is a real process. Its surroundings and all who abuse it are a second process. This
one scrapes as Prometheus does, and looks at the exporter from outside.
"""

import asyncio
import contextlib
import logging
import multiprocessing
import os
import random
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import bcrypt
from measure import Bars, free_port, machine
from slopes import slope
from soak_abuse import PASSWORD, USER, Abuse
from soak_daemon import Daemon, Scraper
from soak_world import World

from tests.fakes import certs
from tests.fakes.members import Member

MINUTES = float(os.environ.get("SOAK_MINUTES", "30"))
SEED = int(os.environ.get("SOAK_SEED", "1"))
TRACE = bool(os.environ.get("SOAK_TRACE"))
"""Whether each figure is printed at each scrape."""
WARM_UP = 0.25
"""Share of the time after which caches are full, and from which on samples count."""
SCRAPE_EVERY = 15.0
LOOK_EVERY = 3.0
CONFIG = """\
inventory: {{kubernetes: {{lease: exporter}}}}
probe:
  interval: 5s
  timeout: 500ms
  resolvers: ["127.0.0.1:{dns}"]
  lighthouse: []
  http: {{path: /}}
logs:
  - {{files: [access.log], format: main, service: nginx-test/nginx}}
  - {{syslog: "udp://127.0.0.1:{udp}", format: main, service: nginx-test/nginx}}
  - {{syslog: "tcp://127.0.0.1:{tcp}", format: main, service: nginx-test/nginx}}
  - {{pods: {{}}, format: main}}
attribution: {{trusted_proxies: [10.2.0.0/24]}}
export_grace: 2m
probe_key_file: probe.key
state_directory: state
"""
WEB = """\
tls_server_config: {{cert_file: cert.pem, key_file: key.pem}}
basic_auth_users: {{{user}: "{hashed}"}}
"""


def surround(pipe, folder, seed):
    """Be the surroundings, then abuse the exporter of which the pipe tells."""

    # A server that is abused has much to say.
    logging.disable()
    os.nice(15)

    async def main():
        rng = random.Random(seed)
        world = World(rng, free_port())
        await world.start()
        way = SimpleNamespace(url=world.api.url, ca=certs.pem(certs.authority()))
        Member(way, folder).kubeconfig()
        certificate = certs.authority().issue_cert("127.0.0.1")
        certificate.private_key_pem.write_to_path(folder / "key.pem")
        (folder / "cert.pem").write_bytes(
            b"".join(each.bytes() for each in certificate.cert_chain_pems)
        )
        pipe.send((world.dns_port, certs.pem(certs.authority())))
        told = await asyncio.to_thread(pipe.recv)
        abuse = Abuse(rng, folder, *told)
        async with asyncio.TaskGroup() as group:
            for work in (*world.works, *abuse.works):
                group.create_task(work(), name=work.__name__)

    asyncio.run(main())


def prepare(folder, pipe):
    """Write the files of the exporter; return what abusers have to know, and the CA."""
    dns, ca = pipe.recv()
    ports = {kind: free_port() for kind in ("udp", "tcp")}
    config = CONFIG.format(dns=dns, **ports)
    (folder / "config.yaml").write_text(config)
    (folder / "probe.key").write_text("a key of a soak\n")
    (folder / "access.log").touch()
    hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(10)).decode()
    (folder / "web.yaml").write_text(WEB.format(user=USER, hashed=hashed))
    return config, ports, ca


def soak(daemon, scraper, seconds):
    """Scrape and look for *seconds*; return the samples, and what went wrong."""
    began, samples, wrong, scrapes = time.monotonic(), {}, [], 0
    next_scrape = next_look = began
    while (now := time.monotonic()) < began + seconds:
        if daemon.process.poll() is not None:
            wrong.append(f"the exporter ended with {daemon.process.returncode}")
            break
        if now >= next_look:
            next_look += LOOK_EVERY
            for name, value in daemon.look().items():
                samples.setdefault(name, []).append((now - began, value))
        if now >= next_scrape:
            next_scrape += SCRAPE_EVERY
            took, failure = scraper.scrape()
            scrapes += 1
            samples.setdefault("scrape time, ms", []).append((now - began, 1000 * took))
            if TRACE:
                figures = ", ".join(f"{name}: {row[-1][1]:.0f}" for name, row in samples.items())
                print(f"  {now - began:5.0f} s  {figures}", flush=True)
            if failure:
                wrong.append(f"after {now - began:.0f} s: {failure}")
                print(f"  a scrape was lost {wrong[-1]}", flush=True)
        time.sleep(max(0.0, min(next_look, next_scrape) - time.monotonic()))
    return samples, wrong, scrapes


def report(bars, samples, seconds):
    """Print each figure with its slope."""
    for name, values in samples.items():
        late = [(at, value) for at, value in values if at >= WARM_UP * seconds]
        found = slope(late, block=max(30.0, seconds / 30))
        level = sum(value for _, value in late) / len(late)
        most = max(value for _, value in late)
        told = f"{found.per_hour:+.1f} ± {found.margin:.1f}/h"
        what = f"{name}: mean {level:.1f}, most {most:.1f}; slope"
        bars.show(what, told, "not above 0", well=not found.grows)


def finish(daemon):
    """End the exporter; return what its log holds that it should not, and its lines."""
    daemon.process.send_signal(signal.SIGTERM)
    began = time.monotonic()
    try:
        code = daemon.process.wait(20)
    except subprocess.TimeoutExpired:
        daemon.process.kill()
        code = "SIGKILL after 20 s"
    took = time.monotonic() - began
    daemon.log.seek(0)
    lines = daemon.log.read().decode(errors="replace").splitlines()
    bugs = [line for line in lines if line.startswith("Traceback") or "because of a bug" in line]
    print(f"  SIGTERM: exit code {code} after {took:.1f} s; {len(lines)} lines of log")
    for line in bugs[:5]:
        print(f"  {line[:300]}")
    return code, bugs, lines


def first():
    """Go before all others on this machine, if that is allowed, also what is started later."""
    with contextlib.suppress(OSError):
        os.nice(-15)
        # Linux weighs processes of one session against each other, and sessions by this.
        Path("/proc/self/autogroup").write_text("-9")


def main():
    """Soak and print."""
    # A soak measures the exporter, and not what else a machine of few cores has to do.
    first()
    bars, seconds = Bars(), 60 * MINUTES
    print(f"soak of {MINUTES:g} minutes, seed {SEED}: {machine()}", flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        pipe, other = multiprocessing.Pipe()
        world = multiprocessing.Process(target=surround, args=(other, folder, SEED), daemon=True)
        world.start()
        config, ports, ca = prepare(folder, pipe)
        daemon, scraper = Daemon(folder, port), Scraper(port, ca)
        try:
            until_ready(daemon, scraper)
            pipe.send((daemon.process.pid, ("127.0.0.1", port), ports, config))
            samples, wrong, scrapes = soak(daemon, scraper, seconds)
            alive = world.is_alive()
            # Signals to reload must not come while Python itself ends, where nobody handles them.
            world.kill()
            code, bugs, lines = finish(daemon)
        finally:
            daemon.process.kill()
            world.kill()
        if keep := os.environ.get("SOAK_LOG"):
            Path(keep).write_text("\n".join(lines))
    bars.show("scrapes lost", f"{len(wrong)} of {scrapes}", "0", well=not wrong)
    report(bars, samples, seconds)
    bars.show("bugs in the log", str(len(bugs)), "0", well=not bugs)
    bars.show("exit code after SIGTERM", str(code), "0", well=code == 0)
    bars.show("abused until the end", str(alive), "True", well=alive)
    bars.tell("lines of log a minute", f"{len(lines) / MINUTES:.0f}")
    bars.end()


def until_ready(daemon, scraper):
    """Wait until the exporter is ready."""
    end = time.monotonic() + 60
    while True:
        try:
            if daemon.inside.exists() and scraper.get("/-/ready")[0] == 200:
                return
        except OSError:
            pass
        assert time.monotonic() < end, (daemon.process.poll(), daemon.log.name)
        time.sleep(0.2)


if __name__ == "__main__":
    main()
