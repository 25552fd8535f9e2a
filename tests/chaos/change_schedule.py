# SPDX-License-Identifier: Apache-2.0
"""Plays the changes of changes.py in an order drawn from the seed, under load:

    quiet load -- change [-- change, while the former still moves ...] -- until all say settled
        -- park the clients -- until all roots are equal -- resume -- the next ones -- ...

A crash strikes in the middle of some moves; the node comes back a little later. Nothing dies before
all copies are there again of what died before it: W copies of a write survive one death, not two.
A stretch lasts until the next change, or until all is settled."""
import itertools
import time

import convergence
import rest
from changes import CHANGES, Crash, Refused, end_departed
from node_processes import until
from schedule import CHECK_SECONDS, look_for_dead

OVERLAP_SHARE, CRASH_SHARE = 0.5, 0.4
LEAST_SECONDS = 3.0  # of a stretch that nothing interrupts: enough requests for a p99
OVERLAP_SECONDS = (0.0, 1.0)  # drawn, between two changes
OUTAGE_SECONDS = (0.5, 1.5)  # of a node that crashed
FEWER_MAX = -1  # members than at first: four of five, as many as n is raised to
DEAD_SECONDS = 2.0  # until somebody declares it
SETTLE_CHECK_SECONDS = 0.3  # each asks every node several things
CRASH_WAIT_SECONDS = 2.0  # for something to move


class Stretch:
    """`kind` names the row. Times in seconds of the monotonic clock."""

    def __init__(self, kind, moving):
        self.kind, self.moving, self.text = kind, moving, ''
        self.begin, self.end = time.monotonic(), 0.0
        self.settled_seconds = None

    def shown(self):
        return {
            'kind': self.kind,
            'text': self.text,
            'moving_before': self.moving,
            'settled_seconds': self.settled_seconds,
        }


class Away:
    """A node, and a time in which it is not what it was; times as of a stretch."""

    def __init__(self, name, begin):
        self.name, self.begin, self.end = name, begin, float('inf')


class Step:
    """A change as drawn: whether it waits until the ones before are settled, and whether a node
    crashes in the middle of it."""

    def __init__(self, change, overlaps, crashes):
        self.change, self.overlaps, self.crashes = change, overlaps, crashes


def fewest_members(kinds):
    """Beyond those at first, in this order."""
    return min(itertools.accumulate(kind.adds for kind in kinds))


def draw_steps(rng, engine, has_kills):
    """A crash costs a node without a disk all its copies: it is a death like that of who is
    removed. Of two deaths the second waits until all is settled."""
    kinds = [kind for kind in CHANGES if has_kills or not kind.kills]
    rng.shuffle(kinds)
    while fewest_members(kinds) < FEWER_MAX:
        rng.shuffle(kinds)
    steps, deaths = [], 0
    for kind in kinds:
        overlaps = bool(steps) and rng.random() < OVERLAP_SHARE
        crashes = has_kills and rng.random() < CRASH_SHARE
        dies = kind.kills or (crashes and engine == 'memory')
        if kind.kills and engine == 'memory':
            crashes = False
        if not overlaps or (dies and deaths > 0):
            overlaps, deaths = False, 0
        deaths += dies
        steps.append(Step(kind, overlaps, crashes))
    return steps


class ChangeSchedule:
    def __init__(self, nodes, crews, settings, rng):
        self.nodes, self.crews, self.settings, self.rng = nodes, crews, settings, rng
        self.stretches, self.rests, self.troubles = [], [], []
        self.deaths = []  # until the node is back, or all is well without it
        self.outside = []  # nodes that are no members, and say so to clients

    def play(self, say):
        steps = draw_steps(self.rng, self.settings.engine, not self.settings.gentle)
        say('in this order: ' + ', '.join(
            ('+ ' if step.overlaps else '') + step.change.title + ' (crash)' * step.crashes
            for step in steps))  # fmt: skip
        self.crews.resume()
        self.open('quiet').text = 'no change'
        self.watch(self.settings.seconds)
        self.close()
        try:
            for at, step in enumerate(steps):
                self.begin(step, say)
                if at + 1 < len(steps) and steps[at + 1].overlaps:
                    self.watch(self.rng.uniform(*OVERLAP_SECONDS))
                    self.close()
                else:
                    self.settle(say)
        except Refused as refused:
            self.troubles.append(str(refused))
            self.crews.park()
        self.troubles += [
            'log of %s: %s' % (name, '; '.join(lines[:3]))
            for name, lines in self.nodes.errors_logged().items()
        ]

    def begin(self, step, say):
        change = step.change(self.nodes, self.rng)
        if change.kills:
            dead = self.open('dead')
            victim = change.strike()
            self.deaths.append(Away(victim, dead.begin))
            dead.text = 'kill -9 of %s, for good' % victim
            say('dead: ' + dead.text)
            self.watch(DEAD_SECONDS)
            self.close()
        if change.spare:
            self.outside.append(Away(change.spare, time.monotonic()))
        stretch = self.open(change.title)
        stretch.text = change.wish()
        self.outside += [Away(name, stretch.begin) for name in self.nodes.leaving]
        say('%s: %s%s' % (
            stretch.kind, stretch.text,
            ', while %d partitions move' % stretch.moving if stretch.moving else ''))  # fmt: skip
        if step.crashes:
            self.crash(say)

    def crash(self, say):
        name, text = Crash(self.nodes, self.rng).choose(CRASH_WAIT_SECONDS)
        say('  ' + text)
        if not name:
            return
        self.stretches[-1].kind += ', crash'
        self.deaths.append(Away(name, time.monotonic()))
        self.nodes.kill([name])
        self.watch(self.rng.uniform(*OUTAGE_SECONDS))
        self.outside.append(Away(name, time.monotonic()))
        self.nodes.restart(name)
        if not until(lambda: self.is_back(name), self.settings.patience):
            raise Refused('%s crashed and does not come back: %s' % (
                name, self.nodes.log(name)[-1000:]))  # fmt: skip
        say('  %s is back' % name)
        self.deaths[-1].end = time.monotonic()

    def is_back(self, name):
        """Ready, or no member any more: who leaves may have left by then."""
        look_for_dead(self.nodes)
        left = 'membership: %s left, and holds nothing' % name
        is_gone = name in self.nodes.leaving and left in self.nodes.log(name)
        return is_gone or self.nodes.is_ready(name)

    def settle(self, say):
        """Until nothing moves, and who left is gone; then all is compared."""
        stretch = self.stretches[-1]
        awaited = 'nothing was asked yet'
        while awaited and time.monotonic() < stretch.begin + self.settings.patience:
            time.sleep(SETTLE_CHECK_SECONDS)
            look_for_dead(self.nodes)
            awaited = rest.awaited(self.nodes)
        stretch.settled_seconds = None if awaited else time.monotonic() - stretch.begin
        say('  ' + ('not settled: %s' % awaited if awaited else
                    'settled after %.1f s' % stretch.settled_seconds))  # fmt: skip
        self.watch(stretch.begin + LEAST_SECONDS - time.monotonic())
        self.close()
        if awaited:
            raise Refused('after "%s" it does not settle: %s' % (stretch.text, awaited))
        for away in self.deaths + self.outside:
            if away.name not in self.nodes.leaving:
                away.end = min(away.end, time.monotonic())
        for name in list(self.nodes.leaving):
            status = end_departed(self.nodes, name)
            if status != 0:
                self.troubles.append('%s left and ended with %s' % (name, status))
        self.crews.park()
        took, differing = convergence.wait_converged(
            self.nodes, time.monotonic(), self.settings.patience
        )
        wrong = rest.wrong(self.nodes, self.settings.patience)
        self.rests.append((stretch.kind, took, differing, wrong))
        self.crews.resume()

    def open(self, kind):
        self.stretches.append(Stretch(kind, len(self.nodes.moves(self.nodes.names[0]))))
        return self.stretches[-1]

    def close(self):
        self.stretches[-1].end = time.monotonic()

    def watch(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(CHECK_SECONDS)
            look_for_dead(self.nodes)
