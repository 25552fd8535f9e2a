# SPDX-License-Identifier: Apache-2.0
"""./x bench durable: what it costs to keep data on the disk, beside Redis with an append-only file.

always   SETs at depth 1 where each is synced before it is acknowledged: how many a second, and the
         CPU of each.
bytes    what is written for the disk until a clean stop, per byte of keys and values that clients
         wrote: all keys loaded, then overwritten in random order (--times).
restart  kill -9, and how long from the next start to the first PING and to the first GET that is
         answered; afterwards every key must be there.

A server of each kind in turns, all on one core, the load on another. See bench/README.md.
"""
import argparse
import os
import signal
import statistics
import sys
import time

import results as figures
import run as bench
import servers as fleet

PARTS = ('always', 'bytes', 'restart')
KEY_BYTES = 16
ALWAYS_RATE_LEAST, ALWAYS_CPU_MOST = 1.3, 1.1
BYTES_MOST = 3.0
RESTART_SECONDS_MOST = 1.0
RESTART_SECONDS_MAX = 120
FIRST_ANSWERS = (
    (b'PING\r\n', b'+PONG\r\n'),
    (b'GET bench:last\r\n', b'$4\r\nhere\r\n'),
)


def parse_arguments():
    parser = argparse.ArgumentParser(
        prog='./x bench durable',
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--only', default=','.join(PARTS), help='parts: %(default)s')
    parser.add_argument('--runs', type=int, default=5, help='of which medians are shown (5)')
    parser.add_argument('--seconds', type=float, default=3, help='length of a phase (3)')
    parser.add_argument('--keys', type=int, default=1_000_000, help='in each server (1000000)')
    parser.add_argument('--times', type=int, default=5, help='that keys are overwritten (5)')
    parser.add_argument('--build', default='build/release', metavar='DIR')
    settings = parser.parse_args()
    unknown = set(settings.only.split(',')) - set(PARTS)
    if unknown:
        parser.error('there is no %s, only %s' % (', '.join(sorted(unknown)), ', '.join(PARTS)))
    settings.connections, settings.value_bytes = 50, 100
    settings.warmup = min(0.3, settings.seconds)
    return settings


def pair(settings, fsync, sync):
    binary = os.path.join(os.path.abspath(settings.build), 'kvorum')
    return [
        fleet.Redis('redis', 'Redis, AOF ' + fsync, fsync),
        fleet.Kvorum('kvorum', 'Kvorum, leveldb ' + sync, binary, 'leveldb', sync=sync),
    ]


class Always(bench.Bench):
    """Nothing but SETs at depth 1, of servers that sync each."""

    def __init__(self, settings):
        super().__init__(settings, pair(settings, 'always', 'always'))

    def one_run(self, number):
        options = ['--seconds', self.settings.seconds, '--warmup', self.settings.warmup]
        options += ['--seed', number + 1]
        for server in self.in_turn(number):
            self.attempt(server, self.closed_loop, 'set', 1, options)

    def cross_check(self):
        return

    def report(self):
        for server in self.servers:
            key = ('closed', server.name, 'set', 1)
            median = {
                name: self.results.median(key, figure) for name, figure in figures.FIGURES.items()
            }
            print(
                'always: %-26s %9.0f acknowledged/s %8.2f us of CPU, p50 %.0f p99 %.0f us'
                % (
                    server.title,
                    median['throughput'],
                    median['server_cpu_us_per_operation'],
                    median['p50_us'],
                    median['p99_us'],
                )
            )
        pair_of = ('closed', 'kvorum', 'redis', 'set', 1)
        rate = self.results.ratio(*pair_of, figure=figures.FIGURES['throughput'])
        print('always: %.2fx as many (target: at least %.1f)' % (rate, ALWAYS_RATE_LEAST))
        cpu = self.results.ratio(*pair_of)
        print('always: %.2fx the CPU (target: at most %.1f)' % (cpu, ALWAYS_CPU_MOST), flush=True)


class Alone(bench.Bench):
    """One server at a time, each run with a fresh one of each kind."""

    def __init__(self, settings):
        super().__init__(settings, [])
        self.found = {}

    def run(self):
        for number in range(self.settings.runs):
            kinds = pair(self.settings, 'everysec', 'interval')
            for server in kinds[number % 2 :] + kinds[: number % 2]:
                missing = server.missing()
                if missing:
                    raise fleet.ServerError(missing)
                try:
                    server.start(self.server_cpu)
                    server.wait_until_ready()
                    figure = self.measure(server)
                finally:
                    server.stop()
                self.found.setdefault(server.title, []).append(figure)
                bench.say('run %d: %s: %s' % (number + 1, server.title, self.show(figure)))

    def load(self, server, operations):
        phase = self.generate(server, '--fill-only')
        self.results.add('load', server.name, 'set', 32, phase)
        if operations:
            options = ['--mix', 'set', '--depth', 16, '--operations', operations]
            phase = self.generate(server, *options)
            self.results.add('load', server.name, 'set', 16, phase)

    def medians(self, title):
        return [statistics.median(column) for column in zip(*self.found[title])]


class Bytes(Alone):
    """(bytes written, of those that clients wrote)"""

    def measure(self, server):
        settings = self.settings
        overwritten = settings.keys * settings.times
        self.load(server, overwritten)
        written = server.end_and_count_bytes()
        return written, (settings.keys + overwritten) * (KEY_BYTES + settings.value_bytes)

    @staticmethod
    def show(figure):
        return '%.2f bytes written per byte' % (figure[0] / figure[1])

    def report(self):
        operations = self.settings.keys * (1 + self.settings.times)
        for title in self.found:
            written, wanted = self.medians(title)
            print(
                'bytes: %-26s %.2f bytes per byte of keys and values, %.0f per SET'
                % (title, written / wanted, written / operations)
            )
        print('bytes: target: at most %.1f per byte' % BYTES_MOST, flush=True)


class Restart(Alone):
    """Seconds until a PING, and until a GET, was answered."""

    def measure(self, server):
        self.load(server, self.settings.keys // 2)
        port = server.ports[0]
        if fleet.ask(port, b'SET bench:last here\r\n', [b'\n']) != b'+OK\r\n':
            raise fleet.ServerError('%s takes no SET' % server.name)
        keys = fleet.ask(port, b'DBSIZE\r\n', [b'\n'])
        server.kill()
        begun = time.monotonic()
        server.launch_all(self.server_cpu)
        seconds = [
            self.answered(server, *exchange) - begun
            for exchange in FIRST_ANSWERS
        ]
        self.answered(server, b'DBSIZE\r\n', keys)
        return seconds

    @staticmethod
    def answered(server, request, reply):
        """When it was."""
        deadline = time.monotonic() + RESTART_SECONDS_MAX
        while time.monotonic() < deadline:
            server.check_alive()
            try:
                if fleet.ask(server.ports[0], request, [reply, b'-']) == reply:
                    return time.monotonic()
            except OSError:
                pass
            time.sleep(0.001)
        raise fleet.ServerError('%s does not answer %r' % (server.name, request))

    @staticmethod
    def show(figure):
        return 'PING after %.2f s, GET after %.2f s' % tuple(figure)

    def report(self):
        for title in self.found:
            print('restart: %-26s %s' % (title, self.show(self.medians(title))))
        print('restart: target: at most %.1f s' % RESTART_SECONDS_MOST, flush=True)


def main():
    settings = parse_arguments()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(143))
    faults = []
    for name, part in zip(PARTS, (Always, Bytes, Restart)):
        if name not in settings.only.split(','):
            continue
        one = part(settings)
        try:
            one.run()
        except (fleet.ServerError, OSError) as error:
            one.failed[name] = str(error)
        finally:
            one.stop()
        if not one.failed:
            one.report()
        faults += one.results.faults() + list(one.failed.values())
    for fault in faults:
        bench.say('not a valid measurement: ' + fault)
    return 1 if faults else 0


if __name__ == '__main__':
    sys.exit(main())
