#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# alone: six nodes at a time, and clients that may not be refused
"""A short ./x chaos membership on loopback ports, without disks: nodes join, leave, are removed and
replaced, one weighs more, n is raised, in the order of one seed. Nothing may be lost, no client be
refused; how long clients waited is judged with room for a busy machine.
chaos_membership.py [path/to/kvorum]; ends with `N passed, N failed`."""
import os
import sys
import tempfile

from chaos_smoke import chaos
from node_processes import Checks

OPTIONS = ['membership', '--engine', 'memory', '--network', 'loopback', '--seed', '6']
OPTIONS += ['--seconds', '3', '--limits', 'foreground_p99: 0s', '--json']
KINDS = {'quiet', 'join', 'leave', 'dead', 'remove', 'replace', 'weight', 'raise n'}
VERDICTS = {'sets', 'unique keys', 'counters', 'registers', 'filling'}
GAP_SECONDS_MAX = 4
# What a busy machine may break.
ABOUT_TIME = ('longest gap', 'roots are equal within', 'no errors but', 'a death costs')
ERROR_RATE_MAX = 0.01
checks = Checks()


def judge(report):
    for promise in report['promises']:
        if not any(text in promise['text'] for text in ABOUT_TIME):
            checks.that(promise['text'], promise['kept'], promise['found'])
        elif 'roots' in promise['text']:
            equal = not promise['found'].startswith('never')
            checks.that(promise['text'].split(' within')[0], equal, promise['found'])
    verdicts = {verdict['name'] for verdict in report['verdicts']}
    checks.that('all workloads are judged', verdicts == VERDICTS, verdicts)
    kinds = {row['kind'].split(',')[0] for row in report['rows']}
    checks.that('all changes happened', kinds == KINDS, kinds)
    errors = sum(row['errors'] for row in report['rows'])
    requests = sum(row['requests'] for row in report['rows'])
    few = errors < ERROR_RATE_MAX * requests
    checks.that('few errors', few, '%d of %d' % (errors, requests))
    gap = max(row['longest_gap_seconds'] for row in report['rows'])
    checks.that('no client waits long', gap < GAP_SECONDS_MAX, gap)


def main():
    with tempfile.TemporaryDirectory(prefix='kvorum-chaos-') as folder:
        path = os.path.join(folder, 'chaos.json')
        checks.attempt('members come and go', lambda: judge(chaos(OPTIONS, path)))
    return checks.summary()


if __name__ == '__main__':
    sys.exit(main())
