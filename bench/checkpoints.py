# SPDX-License-Identifier: Apache-2.0
"""./x bench checkpoints: what clients notice of a checkpoint.

A node over LevelDB takes GETs and SETs at a fixed rate, half of what it can do. Quiet: no
checkpoint runs. Busy: one runs all the time. Latencies count from when a request was due, so that a
stall is charged to each request that it delayed. See bench/README.md.
"""
import argparse
import os
import signal
import statistics
import sys
import threading
import time

import run as bench
import servers as fleet

RATIO_MOST = 1.3
LOOK_SECONDS = 0.25
QUIET_MOST, BUSY_LEAST = 0.1, 0.8  # of the looks at a phase in which a checkpoint runs
PUSHES_MAX, PUSH_OPERATIONS = 300, 20_000  # until one begins: so few that it is not hurried
ENDS_SECONDS = 60
RUNS, RESTS = b'\njournal_checkpoint_runs:1\r', b'\njournal_checkpoint_runs:0\r'
MIX = ('--mix', 'get=50,set=50')


def parse_arguments():
    parser = argparse.ArgumentParser(
        prog='./x bench checkpoints',
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--runs', type=int, default=5, help='each with a fresh node (5)')
    parser.add_argument('--seconds', type=float, default=8, help='length of a phase (8)')
    parser.add_argument('--keys', type=int, default=1_000_000, help='keys loaded (1000000)')
    parser.add_argument('--rate', type=int, help='operations per second (half of the capacity)')
    parser.add_argument('--build', default='build/release', metavar='DIR')
    settings = parser.parse_args()
    settings.connections, settings.value_bytes = 50, 100
    return settings


def runs_now(server):
    return RUNS in fleet.ask(server.ports[0], b'INFO persistence\r\n', [RUNS, RESTS])


class Looks:
    """Asks now and then whether a checkpoint runs."""

    def __init__(self, server):
        self.server, self.seen, self.done = server, [], threading.Event()
        self.thread = threading.Thread(target=self.look, daemon=True)

    def look(self):
        while not self.done.wait(LOOK_SECONDS):
            self.seen.append(runs_now(self.server))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()

    def share(self):
        return sum(self.seen) / max(1, len(self.seen))


class Checkpoints(bench.Bench):
    def __init__(self, settings):
        super().__init__(settings, [])
        self.binary = os.path.join(os.path.abspath(settings.build), 'kvorum')

    def looked_at(self, server, *options):
        """A phase, and in what share of it a checkpoint ran."""
        with Looks(server) as looks:
            phase = self.generate(server, *options)
        self.results.add('open', server.name, 'mixed', 1, phase)
        return phase, looks.share()

    def begin_one(self, server):
        for _ in range(PUSHES_MAX):
            if runs_now(server):
                return
            self.generate(server, '--mix', 'set', '--depth', 16, '--operations', PUSH_OPERATIONS)
        raise fleet.ServerError('no checkpoint begins')

    def await_end(self, server):
        until = time.monotonic() + ENDS_SECONDS
        while runs_now(server):
            if time.monotonic() > until:
                raise fleet.ServerError('a checkpoint does not end')
            time.sleep(LOOK_SECONDS)

    def play(self, number):
        settings = self.settings
        server = fleet.Kvorum('kvorum', 'Kvorum, leveldb', self.binary, 'leveldb')
        try:
            server.start(self.server_cpu)
            server.wait_until_ready()
            self.generate(server, '--fill-only')
            capacity = self.generate(server, *MIX, '--seconds', 3)['throughput']
            options = (*MIX, '--rate', settings.rate or round(capacity / 2), '--warmup', 1)
            options += ('--seconds', settings.seconds, '--seed', number + 1)
            self.begin_one(server)
            self.await_end(server)
            quiet, quiet_share = self.looked_at(server, *options)
            self.begin_one(server)
            busy, busy_share = self.looked_at(server, *options)
        finally:
            server.stop()
        return {
            'capacity': capacity,
            'quiet': quiet,
            'busy': busy,
            'valid': quiet_share <= QUIET_MOST and busy_share >= BUSY_LEAST,
            'shares': (quiet_share, busy_share),
        }


def latency(sample, phase, quantile):
    return sample[phase]['latency_us'][quantile]


def ratio_of(samples, quantile):
    return statistics.median(
        latency(sample, 'busy', quantile) / latency(sample, 'quiet', quantile)
        for sample in samples
    )


def describe(sample):
    return '%.0f/s at most; p99.9 %.0f us quiet, %.0f us busy; a checkpoint ran %.0f, %.0f %%%s' % (
        sample['capacity'],
        latency(sample, 'quiet', 'p99.9'),
        latency(sample, 'busy', 'p99.9'),
        *(100 * share for share in sample['shares']),
        '' if sample['valid'] else ': LEFT OUT',
    )


def main():
    settings = parse_arguments()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(143))
    one, samples = Checkpoints(settings), []
    for number in range(settings.runs):
        try:
            samples.append(one.play(number))
        except (fleet.ServerError, OSError) as error:
            bench.say('run %d fails: %s' % (number + 1, error))
            return 1
        bench.say('run %d: %s' % (number + 1, describe(samples[-1])))
    valid = [sample for sample in samples if sample['valid']]
    for quantile in ('p50', 'p99', 'p99.9') if valid else ():
        medians = [
            statistics.median(latency(sample, phase, quantile) for sample in valid)
            for phase in ('quiet', 'busy')
        ]
        print(
            '%-5s quiet %8.0f us   busy %8.0f us   busy / quiet %.2f'
            % (quantile, *medians, ratio_of(valid, quantile))
        )
    print('%d of %d runs; target: p99.9 at most %.1f' % (len(valid), len(samples), RATIO_MOST))
    faults = one.results.faults()
    for fault in faults:
        bench.say('not a valid measurement: ' + fault)
    return 1 if faults or not valid else 0


if __name__ == '__main__':
    sys.exit(main())
