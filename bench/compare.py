# SPDX-License-Identifier: Apache-2.0
"""./x bench compare --other BINARY: two builds of kvorum beside each other, in turns.

For each kind of server (one node in memory, one over LevelDB, three nodes) both builds run at once
on one core and are measured in turns, each run beginning with the other one. Shows the CPU per
operation of both and the median of their ratios, and ends with 1 where an operation is dearer by
more than --limit. See bench/README.md.
"""
import argparse
import os
import signal
import sys

import results as figures
import run as bench
import servers as fleet

KINDS = {
    'memory': ('one node, memory', 'memory', 1),
    'leveldb': ('one node, leveldb interval', 'leveldb', 1),
    'cluster': ('three nodes N3 R2 W2', 'memory', 3),
}


def parse_arguments():
    parser = argparse.ArgumentParser(
        prog='./x bench compare',
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--other', required=True, metavar='BINARY', help='the build of before')
    parser.add_argument('--build', default='build/release', metavar='DIR', help='the build of now')
    parser.add_argument('--runs', type=int, default=9, help='runs, of which medians are shown (9)')
    parser.add_argument('--seconds', type=float, default=1, help='length of a phase (1)')
    parser.add_argument('--keys', type=int, default=200_000, help='loaded into each server')
    parser.add_argument('--limit', type=float, default=1.02, help='ratio that is too dear (1.02)')
    parser.add_argument('--only', default=','.join(KINDS), help='kinds of server: %(default)s')
    settings = parser.parse_args()
    unknown = set(settings.only.split(',')) - set(KINDS)
    if unknown:
        parser.error('there is no %s, only %s' % (', '.join(sorted(unknown)), ', '.join(KINDS)))
    if not os.access(settings.other, os.X_OK):
        parser.error('%s is no program' % settings.other)
    settings.connections, settings.value_bytes = 50, 100
    settings.open_rate, settings.warmup = 20000, min(0.3, settings.seconds)
    return settings


def pair(settings, kind):
    title, engine, nodes = KINDS[kind]
    now = os.path.join(os.path.abspath(settings.build), 'kvorum')
    return [
        fleet.Kvorum('before', title + ', before', os.path.abspath(settings.other), engine, nodes),
        fleet.Kvorum('now', title + ', now', now, engine, nodes),
    ]


class Comparison(bench.Bench):
    """Nothing but the closed loop: it is what CPU per operation is judged by."""

    def open_loop(self, server, time_options):
        return

    def cross_check(self):
        return


def main():
    settings = parse_arguments()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(143))
    faults, dear = [], 0
    for kind in settings.only.split(','):
        one = Comparison(settings, pair(settings, kind))
        try:
            one.run()
        except KeyboardInterrupt:
            sys.exit(130)
        finally:
            one.stop()
        lines, too_dear = figures.comparison(one.results, KINDS[kind][0], settings.limit)
        print('\n'.join(lines), flush=True)
        dear += too_dear
        faults += one.results.faults() + list(one.failed.values())
    for fault in faults:
        bench.say('not a valid measurement: ' + fault)
    return 1 if faults or dear else 0


if __name__ == '__main__':
    sys.exit(main())
