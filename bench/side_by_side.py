# SPDX-License-Identifier: Apache-2.0
"""redis-server and one Kvorum node by turns, each alone on one core, while clients of this process
use another one. What is measured is the server's CPU."""
import argparse
import os
import statistics

import servers as fleet

NAMES = ('redis', 'kvorum')


def options_of(name, description):
    options = argparse.ArgumentParser(prog='./x bench ' + name, description=description)
    options.add_argument('--build', default='build/release')
    options.add_argument('--runs', type=int, default=5)
    options.add_argument('--seconds', type=float, default=3)
    return options


def alternate(settings, cases, measure):
    """{case: {server's name: figure of each run}}; measure(server, settings, case) is a figure."""
    binary = os.path.join(os.path.abspath(settings.build), 'kvorum')
    kinds = [
        lambda: fleet.Redis('redis', 'Redis'),
        lambda: fleet.Kvorum('kvorum', 'Kvorum, one node', binary, 'memory'),
    ]
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) > 1:
        os.sched_setaffinity(0, {cpus[-1]})
    found = {case: {name: [] for name in NAMES} for case in cases}
    for run in range(settings.runs):
        for kind in kinds[run % 2 :] + kinds[: run % 2]:
            server = kind()
            missing = server.missing()
            if missing:
                raise SystemExit(missing)
            try:
                server.start(cpus[0] if len(cpus) > 1 else None)
                server.wait_until_ready()
                for case in cases:
                    found[case][server.name].append(measure(server, settings, case))
            finally:
                server.stop()
    return found


def tell(label, unit, each):
    """A line with both medians, and the median of the ratios within each run."""
    ratios = [ours / theirs for ours, theirs in zip(each['kvorum'], each['redis'])]
    redis, kvorum = (statistics.median(each[name]) for name in NAMES)
    print(
        '%s: Redis %.2f us, Kvorum %.2f us of CPU for each %s, ratio %.2f'
        % (label, redis, kvorum, unit, statistics.median(ratios)),
        flush=True,
    )


def encode(*words):
    return b'*%d\r\n' % len(words) + b''.join(b'$%d\r\n%s\r\n' % (len(w), w) for w in words)


def exchange(client, server, request, reply):
    """Sends the request and takes its reply, which must be that."""
    client.sendall(request)
    receive(client, server, reply)


def receive(client, server, reply):
    answered = b''
    while len(answered) < len(reply):
        answered += client.recv(65536)
    if answered != reply:
        raise fleet.ServerError('%s answered %r' % (server.name, answered[:200]))
