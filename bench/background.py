# SPDX-License-Identifier: Apache-2.0
"""./x bench background: what background work costs the clients.

Three nodes, clients at two of them at a fixed rate. Quiet: nothing else happens. Busy: the third
node comes back with an empty directory, so that at once hints are replayed to it, anti-entropy
gives it the rest, and all nodes scrub their trees. Shows the p99.9 of both and their ratio. See
bench/README.md.
"""
import argparse
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time
import urllib.request

import servers as fleet

RATIO_TARGET = 1.5
FOREGROUND_KEYS = 20_000
PIPELINE = 200
BUSY_SECONDS_MAX = 60


def parse_arguments():
    parser = argparse.ArgumentParser(
        prog='./x bench background',
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--runs', type=int, default=5, help='each with a fresh cluster (5)')
    parser.add_argument('--seconds', type=float, default=8, help='length of a phase (8)')
    parser.add_argument('--rate', type=int, default=4000, help='operations per second (4000)')
    parser.add_argument('--keys', type=int, default=300_000, help='to be repaired (300000)')
    parser.add_argument('--hints', type=int, default=100_000, help='to be replayed (100000)')
    parser.add_argument('--target', default='10ms', help='limits.foreground_p99; 0ms: no budget')
    parser.add_argument('--build', default='build/release', metavar='DIR')
    parser.add_argument('--json', metavar='FILE', help='every sample')
    return parser.parse_args()


def say(text):
    print('bench: ' + text, file=sys.stderr, flush=True)


class Cluster(fleet.Kvorum):
    def __init__(self, build, target):
        binary = os.path.join(os.path.abspath(build), 'kvorum')
        super().__init__('background', 'Kvorum, 3 nodes', binary, 'leveldb', nodes=3)
        self.target = target

    def config(self, ports):
        self.admin_ports = ports[3::4]
        return (
            super().config(ports)
            + 'limits: {foreground_p99: %s}\n' % self.target
            + 'timing: {hints: 1s, anti_entropy: 5s, scrub: 10s}\n'
        )

    def kill_one(self, number):
        self.processes[number].send_signal(signal.SIGKILL)
        self.processes[number].wait()

    def start_anew(self, number, cpu):
        """With nothing of what it had."""
        shutil.rmtree(os.path.join(self.folder, self.nodes[number]), ignore_errors=True)
        command = self.commands(self.all_ports)[number]
        self.processes[number] = self.launch(command, self.logs[number], cpu)

    def metrics(self, number):
        url = 'http://127.0.0.1:%d/metrics' % self.admin_ports[number]
        with urllib.request.urlopen(url, timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        return {
            name: float(value)
            for name, value in (line.rsplit(' ', 1) for line in lines if line[:1] != '#')
        }


class Work:
    """What background work did, as the nodes count it."""

    NAMES = {
        'hints': 'kvorum_hints_total{event="replayed"}',
        'pulled': 'kvorum_exchange_keys_total{event="pulled"}',
        'pushed': 'kvorum_exchange_keys_total{event="pushed"}',
        'trees': 'kvorum_trees_built_total',
    }

    def __init__(self, cluster):
        seen = [cluster.metrics(number) for number in range(3)]
        self.done = {
            word: sum(metrics[name] for metrics in seen) for word, name in self.NAMES.items()
        }
        self.hints_left = sum(
            value
            for metrics in seen
            for name, value in metrics.items()
            if name.startswith('kvorum_hints_pending{')
        )
        self.not_whole = seen[2]['kvorum_copies_not_whole']

    def since(self, before):
        return {word: count - before.done[word] for word, count in self.done.items()}


class Run:
    def __init__(self, settings):
        self.settings = settings
        self.cluster = Cluster(settings.build, settings.target)
        self.generator = os.path.join(os.path.abspath(settings.build), 'kvorum-bench')
        cpus = sorted(os.sched_getaffinity(0))
        self.client_cpu = cpus[-1] if len(cpus) > 1 else None
        self.server_cpu = cpus[0] if len(cpus) > 1 else None

    def generate(self, *options):
        done = subprocess.run(
            [self.generator, *self.cluster.addresses[:2], '--json', *map(str, options)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            timeout=600,
            preexec_fn=fleet.in_child(self.client_cpu),
        )
        if done.returncode != 0:
            raise fleet.ServerError('%s\n%s' % (done.stderr.strip(), self.cluster.log_tail()))
        return json.loads(done.stdout)['phases'][-1]

    def foreground(self, seed):
        settings = self.settings
        phase = self.generate(
            '--keys',
            FOREGROUND_KEYS,
            '--connections',
            20,
            '--mix',
            'get=80,set=20',
            '--rate',
            settings.rate,
            '--seconds',
            settings.seconds,
            '--warmup',
            1,
            '--seed',
            seed,
        )
        if phase['errors'] or phase['misses'] or phase['wrong']:
            raise fleet.ServerError('wrong replies (%s): %s' % (seed, phase))
        return phase

    def write_hints(self):
        """What the third node misses, through the first."""
        value = b'h' * 100
        with socket.create_connection(('127.0.0.1', self.cluster.ports[0]), 10) as connection:
            file = connection.makefile('rb')
            for begin in range(0, self.settings.hints, PIPELINE):
                keys = range(begin, min(begin + PIPELINE, self.settings.hints))
                connection.sendall(b''.join(b'SET hinted:%d %s\r\n' % (i, value) for i in keys))
                for _ in keys:
                    if file.readline() != b'+OK\r\n':
                        raise fleet.ServerError('a write failed')

    def wait_for_links(self):
        deadline = time.monotonic() + fleet.READY_SECONDS
        while time.monotonic() < deadline:
            try:
                up = self.cluster.metrics(0)['kvorum_member_up{member="c"}']
                if up and self.cluster.metrics(2)['kvorum_member_up{member="a"}']:
                    return
            except (OSError, KeyError):
                pass
            time.sleep(0.05)
        raise fleet.ServerError('the third node does not come back')

    def play(self, number):
        self.cluster.start(self.server_cpu)
        self.cluster.wait_until_ready()
        self.generate('--keys', self.settings.keys, '--fill-only')
        quiet = self.foreground(2 * number + 1)
        self.cluster.kill_one(2)
        self.write_hints()
        self.cluster.start_anew(2, self.server_cpu)
        self.wait_for_links()
        before = Work(self.cluster)
        busy = self.foreground(2 * number + 2)
        after = Work(self.cluster)
        return {
            'quiet': quiet,
            'busy': busy,
            'work': after.since(before),
            'still_busy': after.not_whole > 0,
            'hints_left': after.hints_left,
        }


def microseconds(phase, quantile):
    return phase['latency_us'][quantile]


def describe(sample):
    quiet, busy = (microseconds(sample[phase], 'p99.9') for phase in ('quiet', 'busy'))
    return 'p99.9 %.0f us quiet, %.0f us busy, ratio %.2f; p99 %.0f and %.0f; %s; %s' % (
        quiet,
        busy,
        busy / quiet,
        microseconds(sample['quiet'], 'p99'),
        microseconds(sample['busy'], 'p99'),
        ', '.join('%s %d' % item for item in sample['work'].items()),
        'busy to the end' if sample['still_busy'] else 'DONE BEFORE THE END: more --keys',
    )


def main():
    settings = parse_arguments()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(143))
    samples = []
    for number in range(settings.runs):
        run = Run(settings)
        try:
            samples.append(run.play(number))
        except (fleet.ServerError, OSError, subprocess.TimeoutExpired) as error:
            say('run %d fails: %s' % (number + 1, error))
            return 1
        except KeyboardInterrupt:
            return 130
        finally:
            run.cluster.stop()
        say('run %d: %s' % (number + 1, describe(samples[-1])))
    if settings.json:
        with open(settings.json, 'w', encoding='utf-8') as file:
            json.dump({'settings': vars(settings), 'samples': samples}, file, indent=1)
    ratio = statistics.median(
        microseconds(sample['busy'], 'p99.9') / microseconds(sample['quiet'], 'p99.9')
        for sample in samples
    )
    for quantile in ('p50', 'p99', 'p99.9'):
        print(
            '%-5s quiet %8.0f us   busy %8.0f us'
            % (
                quantile,
                *(
                    statistics.median(microseconds(sample[phase], quantile) for sample in samples)
                    for phase in ('quiet', 'busy')
                ),
            )
        )
    print(
        'p99.9 busy / quiet: %.2f, median of %d runs (target: at most %.1f)'
        % (ratio, len(samples), RATIO_TARGET)
    )
    return 0


if __name__ == '__main__':
    sys.exit(main())
