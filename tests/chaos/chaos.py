#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""./x chaos: five real nodes under stock clients, while nodes are killed, stopped, cut off and
wiped. Prints what the clients saw, how long the nodes took to agree again, and a verdict on each
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
import availability  # noqa: E402
import judges  # noqa: E402
import promises  # noqa: E402
import schedule  # noqa: E402
from crews import Crews  # noqa: E402
from faults import FAULTS, default_faults  # noqa: E402
from networks import network_for  # noqa: E402
from nodes import PASSWORD, Nodes  # noqa: E402
from node_processes import RespError  # noqa: E402
from workloads import WORKLOADS  # noqa: E402

NAMES = 'abcdefghi'
TIMING = 'hints: 500ms, anti_entropy: 1s'
SETTLE_SECONDS = 60
HEAL_SHARE = 1 / 3  # of a phase; the fault lasts for the rest


def parse_arguments(words):
    parser = argparse.ArgumentParser(
        prog='./x chaos', description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add('--seconds', type=float, default=100, help='of load, over all phases (100)')
    add('--seed', type=int, help='who is struck and what clients do (drawn, and printed)')
    add('--nodes', type=int, default=5, help='how many, 5 to 9 (5)')
    add('--phases', metavar='NAME,...', help='of ' + ', '.join(FAULTS))
    add('--network', choices=('auto', 'namespaces', 'loopback'), default='auto')
    add('--timing', default=TIMING, help='of the nodes (%s)' % TIMING)
    add('--think', type=float, default=5, metavar='MS', help="a client's mean pause (5 ms)")
    add('--patience', type=float, default=30, help='seconds to wait for equal roots (30)')
    add('--json', metavar='FILE', help='write everything as JSON too; - is standard output')
    add('--keep', action='store_true', help='keep data and logs, also when all went well')
    add('--binary', default=os.path.join(ROOT, 'build', 'release', 'kvorum'))
    settings = parser.parse_args(words)
    if not 5 <= settings.nodes <= len(NAMES):
        parser.error('--nodes: 5 to %d' % len(NAMES))
    unknown = set((settings.phases or 'quiet').split(',')) - set(FAULTS)
    if unknown:
        parser.error('--phases: there is no %s' % ', '.join(sorted(unknown)))
    if settings.seed is None:
        settings.seed = random.SystemRandom().randrange(10**6)
    return settings


def choose_phases(settings, network):
    names = settings.phases.split(',') if settings.phases else default_faults(network)
    for name in names:
        if FAULTS[name].cuts and not network.can_cut:
            raise SystemExit('%s needs network namespaces: run as root, with iproute2' % name)
    seconds = settings.seconds / len(names)
    settings.heal_seconds = HEAL_SHARE * seconds
    settings.fault_seconds = seconds - settings.heal_seconds
    return names


class Run:
    """From starting the nodes to the verdict; `say` takes lines for people."""

    def __init__(self, settings, say):
        self.settings, self.say = settings, say
        self.troubles = []

    def play(self):
        """Returns the report; everything that was started has ended by then."""
        names = list(NAMES[: self.settings.nodes])
        network = network_for(names, self.settings.network)
        try:
            with Nodes(self.settings.binary, names, network, self.settings.timing) as nodes:
                try:
                    return self.with_nodes(nodes, network)
                except Exception:
                    nodes.keep = True
                    raise
                finally:
                    if nodes.keep or self.settings.keep:
                        nodes.keep = True
                        self.say('data and logs are kept in ' + nodes.folder)
        finally:
            network.close()

    def with_nodes(self, nodes, network):
        phases = choose_phases(self.settings, network)
        self.say('%d nodes on %s, seed %d; %s' % (
            len(nodes.names), network.title, self.settings.seed, machine()))  # fmt: skip
        nodes.start()
        if not nodes.wait_settled(seconds=SETTLE_SECONDS):
            raise RuntimeError('the cluster does not settle; log of a:\n' + nodes.log('a')[-2000:])
        places = {
            kind: [(network.host(name), nodes.port(name, kind)) for name in nodes.names]
            for kind in ('redis', 'memcached')
        }
        crews = Crews(WORKLOADS, places, {
            'seed': self.settings.seed,
            'password': PASSWORD,
            'think_seconds': self.settings.think / 1000,
        })  # fmt: skip
        try:
            plan = schedule.Schedule(nodes, crews, self.settings, random.Random(self.settings.seed))
            try:
                plan.play(phases, self.say)
            except schedule.NodeEnded as ended:
                self.troubles.append('nodes ended by themselves: %s' % ended)
                nodes.keep = True
                return self.report(plan, [], [])
            results = crews.finish()
        finally:
            crews.close()
        return self.judge(nodes, plan, results)

    def judge(self, nodes, plan, results):
        journals = {name: journal for name, (journal, _) in results.items()}
        samples = [sample for _, mine in results.values() for sample in mine]
        copies = copies_of(nodes, judges.keys_of(journals))
        merged = nodes.merged(judges.still_held(journals['unique keys'], copies))
        verdicts = judges.judge(journals, copies, merged)
        suspects = {
            key: availability.history(samples, key) + [str(nodes.inspect('a', key))]
            for key in sorted({key for verdict in verdicts for key in verdict.suspects})
        }
        wrong = {name: status for name, status in nodes.end_all().items() if status != 0}
        if wrong:
            self.troubles.append('ended by SIGTERM with other than 0: %s' % wrong)
        report = self.report(plan, samples, verdicts)
        report['suspects'] = suspects
        report['stretches'] = [
            (one.begin, one.end, one.text) for one in plan.stretches
        ]
        nodes.keep = not report['kept']
        return report

    def report(self, plan, samples, verdicts):
        rows = []
        for stretch in plan.stretches:
            if stretch.end:
                row = availability.summary(samples, stretch.begin, stretch.end)
                row.update(phase=stretch.fault, during=stretch.during, text=stretch.text)
                row['converged_seconds'] = stretch.converged_seconds
                rows.append(row)
        finished = [stretch for stretch in plan.stretches if stretch.end]
        kept = promises.all_promises(finished, samples, verdicts)
        kept += [promises.Promise('nodes stay up and end cleanly', False, text)
                 for text in self.troubles]  # fmt: skip
        return {
            'seed': self.settings.seed,
            'rows': rows,
            'verdicts': [
                {'name': one.name, 'counts': one.counts, 'violations': one.violations}
                for one in verdicts
            ],
            'promises': [{'text': p.text, 'kept': p.kept, 'found': p.found} for p in kept],
            'lines': [one.line() for one in verdicts] + [''] + [one.line() for one in kept],
            'kept': all(one.kept for one in kept),
        }


def copies_of(nodes, keys):
    """key -> {node: values} of the primaries."""
    copies = {key: {} for key in keys}
    for name in nodes.names:
        for key, values in nodes.local_copies(name, keys).items():
            if values is not None:
                copies[key][name] = values
    short = [key for key, held in copies.items() if len(held) != 3]
    if short:
        raise RespError('%d keys without three primaries, e.g. %s' % (len(short), short[0]))
    return copies


def machine():
    """Latencies mean little where others compute too."""
    return '%d CPUs, load average %.1f' % (os.cpu_count(), os.getloadavg()[0])


def table(rows):
    form = '%-11s %-7s %8s %7s %9s %7s %7s %7s %7s  %s'
    lines = [form % ('phase', '', 'requests', 'errors', 'rate', 'gap s', 'p50 ms', 'p99', 'p99.9',
                     'roots equal')]  # fmt: skip
    for row in rows:
        latency = row['latency_ms']
        converged = row['converged_seconds']
        equal = '' if row['during'] else 'no' if converged is None else '%.1f s' % converged
        lines.append(form % (
            row['phase'] if row['during'] else '', 'fault' if row['during'] else 'healed',
            row['requests'], row['errors'], '%.3f %%' % (100 * row['error_rate']),
            '%.2f' % row['longest_gap_seconds'], '%.1f' % latency['p50'], '%.1f' % latency['p99'],
            '%.1f' % latency['p99.9'], equal,
        ))  # fmt: skip
        for detail, times in row['error_details']:
            lines.append('              %d times %s' % (times, detail[:100]))
    return lines


def main():
    settings = parse_arguments(sys.argv[1:])
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, signal.default_int_handler)  # raises KeyboardInterrupt
    out = sys.stderr if settings.json == '-' else sys.stdout
    began = time.monotonic()

    def say(text):
        print('%6.1f s  %s' % (time.monotonic() - began, text), file=out, flush=True)

    try:
        report = Run(settings, say).play()
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
