# SPDX-License-Identifier: Apache-2.0
# alone: judges how long clients waited
"""A short ./x chaos on loopback ports: five nodes, one killed, one stopped. Nothing may be lost or
brought back; availability is judged with room for a busy machine.
chaos_smoke.py [path/to/kvorum]; ends with `N passed, N failed`."""
import json
import os
import subprocess
import sys
import tempfile

from node_processes import Checks

BINARY = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else 'build/release/kvorum')
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SYSTEM_PYTHON = '/usr/bin/python3'  # which has Debian's client modules
OPTIONS = ['--network', 'loopback', '--phases', 'kill,stop', '--seconds', '14', '--json']
SECONDS_MAX = 180
ERROR_RATE_MAX, GAP_SECONDS_MAX, REQUESTS_MIN = 0.02, 4, 200
checks = Checks()


def chaos(options, path):
    """The report of a run, which it also writes to the path."""
    command = [SYSTEM_PYTHON, os.path.join(ROOT, 'tests/chaos/chaos.py'), '--binary', BINARY]
    done = subprocess.run(
        command + options + [path],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    print(done.stdout)
    with open(path, encoding='utf-8') as file:
        return json.load(file)


def judge(report):
    for verdict in report['verdicts']:
        name = '%s: nothing lost, invented or brought back' % verdict['name']
        checks.that(name, not verdict['violations'], verdict['violations'])
    checks.that('all three workloads are judged', len(report['verdicts']) == 3)
    for row in report['rows']:
        what = '%s, %s: ' % (row['phase'], 'fault' if row['during'] else 'healed')
        checks.that(what + 'requests', row['requests'] > REQUESTS_MIN, row['requests'])
        checks.that(what + 'few errors', row['error_rate'] < ERROR_RATE_MAX, row)
        refused = [one for one in row['error_details'] if 'NOQUORUM' in one[0]]
        checks.that(what + 'a quorum is always found', not refused, refused)
        gap = row['longest_gap_seconds']
        checks.that(what + 'no client waits long', gap < GAP_SECONDS_MAX, row)
    wanted = [p for p in report['promises'] if 'clean' in p['text'] or 'roots' in p['text']]
    broken = ['%s: %s' % (p['text'], p['found']) for p in wanted if not p['kept']]
    checks.that('roots become equal, nodes end cleanly', wanted and not broken, broken)


def main():
    with tempfile.TemporaryDirectory(prefix='kvorum-chaos-') as folder:
        path = os.path.join(folder, 'chaos.json')
        checks.attempt('a short chaos', lambda: judge(chaos(OPTIONS, path)))
    return checks.summary()


if __name__ == '__main__':
    sys.exit(main())
