# SPDX-License-Identifier: Apache-2.0
"""./x bench: Kvorum next to Redis and memcached on this machine. See bench/README.md.

All servers run at once on one core, the load generator on another; only one is under load at any
moment, and they take turns within each run, so that whatever else the machine does hits all alike.
"""
import argparse
import csv
import json
import os
import shutil
import signal
import subprocess
import sys

import results as figures
import servers as fleet

BENCH_SECONDS_MAX = 600
CROSS_CHECK_DEPTH = 16
CROSS_CHECK_RATE = 300_000  # operations for each second of a phase


def parse_arguments():
    parser = argparse.ArgumentParser(
        prog='./x bench', description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        '--quick',
        action='store_true',
        help='a smoke test: one run, 100000 keys, phases of 2 seconds',
    )
    parser.add_argument(
        '--json',
        nargs='?',
        const='-',
        metavar='FILE',
        help='write everything as JSON; without FILE to standard output, and the '
        'table to standard error',
    )
    parser.add_argument('--runs', type=int, help='runs, of which medians are shown (5)')
    parser.add_argument('--seconds', type=float, help='length of a phase (3)')
    parser.add_argument('--keys', type=int, help='keys loaded into each server (1000000)')
    names = ', '.join(server.name for server in fleet.all_servers('.'))
    parser.add_argument('--only', metavar='NAME,NAME', help='only these servers, of ' + names)
    parser.add_argument(
        '--build',
        default='build/release',
        metavar='DIR',
        help='where kvorum and kvorum-bench are (build/release)',
    )
    parser.add_argument(
        '--open-rate',
        type=int,
        default=20000,
        help='operations per second of the open loop (20000)',
    )
    settings = parser.parse_args()
    settings.connections, settings.value_bytes = 50, 100
    settings.runs = settings.runs or (1 if settings.quick else 5)
    settings.seconds = settings.seconds or (2 if settings.quick else 3)
    settings.keys = settings.keys or (100_000 if settings.quick else 1_000_000)
    settings.warmup = min(0.3, settings.seconds)
    return settings


def say(text):
    print('bench: ' + text, file=sys.stderr, flush=True)


def choose_cpus():
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) >= 2:
        return cpus[0], cpus[1]
    say('only one CPU: servers and client share it, throughput and latency say little')
    return None, None


def choose_servers(settings):
    servers = fleet.all_servers(settings.build)
    if settings.only:
        wanted = settings.only.split(',')
        unknown = set(wanted) - {server.name for server in servers}
        if unknown:
            sys.exit(
                'bench: no server is called %s; there are: %s'
                % (', '.join(sorted(unknown)), ', '.join(server.name for server in servers))
            )
        servers = [server for server in servers if server.name in wanted]
    chosen = []
    for server in servers:
        missing = server.missing()
        if missing:
            say('%s left out: %s' % (server.name, missing))
        else:
            chosen.append(server)
    return chosen


class Bench:
    def __init__(self, settings, servers):
        self.settings, self.servers = settings, servers
        self.server_cpu, self.client_cpu = choose_cpus()
        self.generator = os.path.join(os.path.abspath(settings.build), 'kvorum-bench')
        self.results = figures.Results()
        self.failed = {}

    def in_turn(self, number=0):
        """The servers still standing, beginning with another one in each run."""
        standing = [server for server in self.servers if server.name not in self.failed]
        turn = number % max(1, len(standing))
        return standing[turn:] + standing[:turn]

    def attempt(self, server, step, *arguments):
        """A server that fails is left out from then on; the others are still measured."""
        try:
            return step(server, *arguments)
        except (fleet.ServerError, OSError, subprocess.TimeoutExpired) as error:
            say('%s fails: %s' % (server.name, error))
            self.failed[server.name] = str(error)
            server.stop()
            return None

    def execute(self, command):
        return subprocess.run(
            [str(word) for word in command],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            timeout=BENCH_SECONDS_MAX,
            preexec_fn=fleet.in_child(self.client_cpu),
        )

    def generate(self, server, *options):
        """One call of kvorum-bench; returns the last phase that it measured."""
        settings = self.settings
        done = self.execute(
            [
                self.generator,
                *server.addresses,
                '--protocol',
                server.protocol,
                '--json',
                '--keys',
                settings.keys,
                '--value-bytes',
                settings.value_bytes,
                '--connections',
                settings.connections,
                '--server-pids',
                ','.join(map(str, server.pids)),
                *options,
            ]
        )
        server.check_alive()
        if done.returncode != 0:
            raise fleet.ServerError('%s\n%s' % (done.stderr.strip(), server.log_tail()))
        return json.loads(done.stdout)['phases'][-1]

    def fill(self, server):
        say('filling %s' % server.name)
        phase = self.generate(server, '--fill-only')
        grown = phase['server_resident_bytes_after'] - phase['server_resident_bytes_before']
        self.results.bytes_per_key[server.name] = grown / self.settings.keys
        self.results.add('fill', server.name, 'set', 32, phase)

    def closed_loop(self, server, operation, depth, time_options):
        phase = self.generate(server, '--mix', operation, '--depth', depth, *time_options)
        self.results.add('closed', server.name, operation, depth, phase)

    def open_loop(self, server, time_options):
        phase = self.generate(
            server, '--mix', 'get', '--rate', self.settings.open_rate, *time_options
        )
        self.results.add('open', server.name, 'get', 1, phase)

    def one_run(self, number):
        settings = self.settings
        title = 'run %d of %d: ' % (number + 1, settings.runs)
        time_options = [
            '--seconds',
            settings.seconds,
            '--warmup',
            settings.warmup,
            '--seed',
            number + 1,
        ]
        for operation in figures.OPERATIONS:
            for depth in figures.DEPTHS:
                say(title + '%s depth %d' % (operation, depth))
                for server in self.in_turn(number):
                    self.attempt(server, self.closed_loop, operation, depth, time_options)
        say(title + 'open loop')
        for server in self.in_turn(number):
            self.attempt(server, self.open_loop, time_options)

    def cross_check(self):
        """Last, because redis-benchmark writes values that our own generator would call wrong."""
        if not shutil.which('redis-benchmark'):
            say('no cross-check: redis-benchmark is not installed')
            return
        for operation in figures.OPERATIONS:
            for server in self.in_turn():
                if server.protocol == 'resp' and len(server.ports) == 1:
                    say('redis-benchmark: %s %s' % (server.name, operation))
                    self.attempt(server, self.redis_benchmark, operation)

    def redis_benchmark(self, server, operation):
        settings = self.settings
        operations = max(1000, int(settings.seconds * CROSS_CHECK_RATE))
        before = fleet.cpu_ns(server.pids)
        done = self.execute(
            [
                'redis-benchmark',
                '-p',
                server.ports[0],
                '-t',
                operation,
                '-n',
                operations,
                '--csv',
                '-P',
                CROSS_CHECK_DEPTH,
                '-c',
                settings.connections,
                '-r',
                settings.keys,
                '-d',
                settings.value_bytes,
            ]
        )
        server.check_alive()
        spent = fleet.cpu_ns(server.pids) - before
        rows = [
            row
            for row in csv.reader(done.stdout.splitlines())
            if row and row[0].lower() == operation
        ]
        if done.returncode != 0 or not rows:
            raise fleet.ServerError('redis-benchmark: ' + (done.stderr or done.stdout).strip())
        self.results.cross_check.append(
            {
                'server': server.name,
                'title': server.title,
                'operation': operation,
                'throughput': float(rows[0][1]),
                'server_cpu_us_per_operation': spent / 1e3 / operations,
            }
        )

    def run(self):
        for server in self.servers:
            self.attempt(server, lambda one: one.start(self.server_cpu))
        for server in self.in_turn():
            self.attempt(server, lambda one: one.wait_until_ready())
        for server in self.in_turn():
            self.attempt(server, self.fill)
        for number in range(self.settings.runs):
            self.one_run(number)
        self.cross_check()

    def stop(self):
        for server in self.servers:
            server.stop()


def machine():
    with open('/proc/cpuinfo') as file:
        models = [line.split(':', 1)[1].strip() for line in file if line.startswith('model name')]
    return {
        'cpu': models[0] if models else 'unknown',
        'cpus': len(os.sched_getaffinity(0)),
        'kernel': os.uname().release,
        'load_average': os.getloadavg(),
    }


def publish(bench, settings):
    table = sys.stderr if settings.json == '-' else sys.stdout
    here = machine()
    print(
        '%s, %d CPUs, load average %.1f (about 2 is the bench itself)'
        % (here['cpu'], here['cpus'], here['load_average'][0]),
        file=table,
    )
    print('\n'.join(figures.report(bench.results, bench.servers, settings)), file=table)
    if not settings.json:
        return
    everything = {
        'settings': vars(settings),
        'machine': here,
        **bench.results.to_json(),
        'failed': bench.failed,
    }
    text = json.dumps(everything, indent=1) + '\n'
    if settings.json == '-':
        sys.stdout.write(text)
        return
    with open(settings.json, 'w', encoding='utf-8') as file:
        file.write(text)


def main():
    settings = parse_arguments()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(143))
    servers = choose_servers(settings)
    if not servers:
        sys.exit('bench: nothing to measure')
    bench = Bench(settings, servers)
    if not os.access(bench.generator, os.X_OK):
        sys.exit('bench: %s is not built; ./x bench builds it' % bench.generator)
    try:
        bench.run()
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        bench.stop()
    publish(bench, settings)
    faults = bench.results.faults()
    for fault in faults:
        say('not a valid measurement: ' + fault)
    for name in bench.failed:
        say('%s failed, see above' % name)
    return 1 if faults or bench.failed else 0


if __name__ == '__main__':
    sys.exit(main())
