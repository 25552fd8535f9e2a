#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""./x chaos: five real nodes under stock clients, while nodes are killed, stopped, cut off and
wiped. ./x chaos membership: while they join, leave, are removed and replaced, weigh more, and n is
raised. Prints what the clients saw, how long the nodes took to agree again, and a verdict on each
workload; exit status 1 where a promise is broken. See tests/chaos/README.md."""
import argparse
import json
import os
import random
import signal
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.dont_write_bytecode = True
sys.path[:0] = [HERE, os.path.join(ROOT, 'tests', 'integration')]

# Found through the path above.
from faults import FAULTS  # noqa: E402
from membership_run import MembershipRun  # noqa: E402
from run import NAMES, FaultRun, machine  # noqa: E402
from tables import change_table, fault_table  # noqa: E402

TIMING = 'hints: 500ms, anti_entropy: 1s'
ENGINES = ('leveldb', 'memory')
DEFAULTS = {  # of options that stand for something else in each kind of run
    'seconds': {'faults': 100, 'membership': 10},
    'think': {'faults': 5, 'membership': 15},
    'patience': {'faults': 30, 'membership': 180},
}
RUNS = {'faults': (FaultRun, fault_table), 'membership': (MembershipRun, change_table)}


def parse_arguments(words):
    parser = argparse.ArgumentParser(
        prog='./x chaos', description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add('what', nargs='?', choices=tuple(RUNS), default='faults', help='(faults)')
    add('--seconds', type=float,
        help='of load: over all phases (100); before members change (10)')  # fmt: skip
    add('--seed', type=int, help='who is struck and what clients do (drawn, and printed)')
    add('--nodes', type=int, default=5, help='how many, 5 to 9 (5)')
    add('--phases', metavar='NAME,...', help='of ' + ', '.join(FAULTS))
    add('--engine', choices=ENGINES, default=ENGINES[0], help='of all nodes (leveldb)')
    add('--gentle', action='store_true', help='of membership: nobody is killed')
    add('--network', choices=('auto', 'namespaces', 'loopback'), default='auto')
    add('--timing', default=TIMING, help='of the nodes (%s)' % TIMING)
    add('--limits', default='', metavar='KEY: VALUE, ...', help='of the nodes (none)')
    add('--think', type=float, metavar='MS',
        help="a client's mean pause (5 ms; while members change 15)")  # fmt: skip
    add('--patience', type=float,
        help='seconds to wait for equal roots (30), or for a change (180)')  # fmt: skip
    add('--json', metavar='FILE', help='write everything as JSON too; - is standard output')
    add('--keep', action='store_true', help='keep data and logs, also when all went well')
    add('--binary', default=os.path.join(ROOT, 'build', 'release', 'kvorum'))
    settings = parser.parse_args(words)
    if not 5 <= settings.nodes <= len(NAMES):
        parser.error('--nodes: 5 to %d' % len(NAMES))
    unknown = set((settings.phases or 'quiet').split(',')) - set(FAULTS)
    if unknown:
        parser.error('--phases: there is no %s' % ', '.join(sorted(unknown)))
    if settings.what == 'faults' and settings.engine == 'memory':
        parser.error('--engine memory: the phases kill more nodes than have copies')
    for name, of_runs in DEFAULTS.items():
        if getattr(settings, name) is None:
            setattr(settings, name, of_runs[settings.what])
    if settings.seed is None:
        settings.seed = random.SystemRandom().randrange(10**6)
    return settings


def main():
    settings = parse_arguments(sys.argv[1:])
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, signal.default_int_handler)  # raises KeyboardInterrupt
    out = sys.stderr if settings.json == '-' else sys.stdout
    began = time.monotonic()

    def say(text):
        print('%6.1f s  %s' % (time.monotonic() - began, text), file=out, flush=True)

    try:
        kind_of_run, table = RUNS[settings.what]
        report = kind_of_run(settings, say).play()
    except KeyboardInterrupt:
        print('interrupted; all nodes are ended', file=out)
        return 130
    lines = [''] + table(report['rows']) + [machine(), ''] + report['lines']
    print('\n'.join(lines), file=out)
    for key, lines in report.get('suspects', {}).items():
        print('\n%s\n  ' % key + '\n  '.join(lines), file=out)
    if settings.json:
        text = json.dumps(report, indent=1, default=str)
        if settings.json == '-':
            print(text)
        else:
            with open(settings.json, 'w', encoding='utf-8') as file:
                file.write(text + '\n')
    return 0 if report['kept'] else 1


if __name__ == '__main__':
    sys.exit(main())
