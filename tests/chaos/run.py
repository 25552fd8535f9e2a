# SPDX-License-Identifier: Apache-2.0
"""One run of ./x chaos, from starting the nodes to the report: the clients of some workloads work
while a plan strikes the nodes, and then what the nodes hold is judged. Nodes and clients have ended
when it returns. FaultRun plays the faults of faults.py; membership_run.py has another."""
import os
import random

import availability
import judges
import promises
import schedule
from crews import Crews
from faults import FAULTS, default_faults
from networks import network_for
from nodes import PASSWORD, Nodes
from node_processes import RespError
from workloads import WORKLOADS

NAMES = 'abcdefghi'
SETTLE_SECONDS = 60
HEAL_SHARE = 1 / 3  # of a phase; the fault lasts for the rest


class Run:
    """`say` takes lines for people."""

    workloads = WORKLOADS
    spares = ()  # nodes that are started later

    def __init__(self, settings, say):
        self.settings, self.say = settings, say
        self.troubles = []

    # What runs differ in.
    def plan(self, nodes, crews, network):
        """What strikes the nodes: play(say), and the `stretches` of it."""
        raise NotImplementedError

    def prepare(self, nodes):
        """Before there are clients."""

    def verdicts(self, journals, nodes, plan):
        raise NotImplementedError

    def promises(self, plan, samples, verdicts):
        raise NotImplementedError

    def nodes(self, names, network):
        of = self.settings
        shape = {'engine': of.engine, 'spares': self.spares, 'limits': of.limits}
        return Nodes(of.binary, names, network, of.timing, **shape)

    def play(self):
        """Returns the report; everything that was started has ended by then."""
        names = list(NAMES[: self.settings.nodes])
        network = network_for(names + list(self.spares), self.settings.network)
        try:
            with self.nodes(names, network) as nodes:
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
        self.say('%d nodes (%s) on %s, seed %d; %s' % (
            len(nodes.names), self.settings.engine, network.title, self.settings.seed,
            machine()))  # fmt: skip
        nodes.start()
        if not nodes.wait_settled(seconds=SETTLE_SECONDS):
            raise RuntimeError('the cluster does not settle; log of a:\n' + nodes.log('a')[-2000:])
        self.prepare(nodes)
        places = {
            kind: [(network.host(name), nodes.port(name, kind)) for name in nodes.everyone]
            for kind in ('redis', 'memcached')
        }
        crews = Crews(self.workloads, places, {
            'seed': self.settings.seed,
            'password': PASSWORD,
            'think_seconds': self.settings.think / 1000,
        })  # fmt: skip
        try:
            plan = self.plan(nodes, crews, network)
            try:
                plan.play(self.say)
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
        verdicts = self.verdicts(journals, nodes, plan)
        suspects = {
            key: availability.history(samples, key) + [str(nodes.inspect(nodes.names[0], key))]
            for key in sorted({key for verdict in verdicts for key in verdict.suspects})
        }
        counts = nodes.counts() if suspects else {}
        wrong = {name: status for name, status in nodes.end_all().items() if status != 0}
        if wrong:
            self.troubles.append('ended by SIGTERM with other than 0: %s' % wrong)
        report = self.report(plan, samples, verdicts)
        report['suspects'], report['counts'] = suspects, counts
        report['stretches'] = [
            (one.begin, one.end, one.text) for one in plan.stretches
        ]
        nodes.keep = not report['kept']
        return report

    def row(self, stretch, samples):
        """Of the report's table: what clients saw of a stretch."""
        row = availability.summary(samples, stretch.begin, stretch.end)
        row.update(stretch.shown())
        return row

    def report(self, plan, samples, verdicts):
        kept = self.promises(plan, samples, verdicts)
        kept += [promises.Promise('nodes stay up and end cleanly', False, text)
                 for text in self.troubles]  # fmt: skip
        return {
            'seed': self.settings.seed,
            'engine': self.settings.engine,
            'rows': [self.row(one, samples) for one in plan.stretches if one.end],
            'verdicts': [
                {'name': one.name, 'counts': one.counts, 'violations': one.violations}
                for one in verdicts
            ],
            'promises': [{'text': p.text, 'kept': p.kept, 'found': p.found} for p in kept],
            'lines': [one.line() for one in verdicts] + [''] + [one.line() for one in kept],
            'kept': all(one.kept for one in kept),
        }


class FaultRun(Run):
    def plan(self, nodes, crews, network):
        names = choose_phases(self.settings, network)
        rng = random.Random(self.settings.seed)
        return schedule.Schedule(nodes, crews, self.settings, (names, rng))

    def verdicts(self, journals, nodes, plan):
        copies = copies_of(nodes, judges.keys_of(journals))
        merged = nodes.merged(judges.still_held(journals['unique keys'], copies))
        return judges.judge(journals, copies, merged)

    def promises(self, plan, samples, verdicts):
        finished = [stretch for stretch in plan.stretches if stretch.end]
        return promises.all_promises(finished, samples, verdicts)


def choose_phases(settings, network):
    names = settings.phases.split(',') if settings.phases else default_faults(network)
    for name in names:
        if FAULTS[name].cuts and not network.can_cut:
            raise SystemExit('%s needs network namespaces: run as root, with iproute2' % name)
    seconds = settings.seconds / len(names)
    settings.heal_seconds = HEAL_SHARE * seconds
    settings.fault_seconds = seconds - settings.heal_seconds
    return names


def copies_of(nodes, keys):
    """key -> {node: values} of the primaries."""
    copies = {key: {} for key in keys}
    for name in nodes.names:
        for key, values in nodes.local_copies(name, keys).items():
            if values is not None:
                copies[key][name] = values
    short = [key for key, held in copies.items() if len(held) != nodes.replicas]
    if short:
        raise RespError('%d keys without %d primaries, e.g. %s' % (
            len(short), nodes.replicas, short[0]))  # fmt: skip
    return copies


def machine():
    """Latencies mean little where others compute too."""
    return '%d CPUs, load average %.1f' % (os.cpu_count(), os.getloadavg()[0])
