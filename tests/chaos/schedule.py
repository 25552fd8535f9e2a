# SPDX-License-Identifier: Apache-2.0
"""Plays the faults one after the other under load:

    begin fault -- fault_seconds of load -- heal -- heal_seconds of load -- park the clients
        -- until all roots are equal, or patience ends -- resume

A stretch is what lies between two of these marks; availability is judged per stretch."""
import time

import convergence
from faults import FAULTS

CHECK_SECONDS = 0.1
WARM_SECONDS = 1  # of load before a fault strikes


class NodeEnded(Exception):
    """A node that nobody killed."""


class Stretch:
    """`fault` names the row; `during`: whether the fault lasts, else it is healed."""

    def __init__(self, fault, during):
        self.fault, self.during, self.text = fault, during, ''
        self.begin, self.end = time.monotonic(), 0.0
        self.converged_seconds, self.differing = None, None

    def shown(self):
        """Of a row, besides what clients saw."""
        return {
            'phase': self.fault,
            'during': self.during,
            'text': self.text,
            'converged_seconds': self.converged_seconds,
        }


class Schedule:
    """`phases`: the names of the faults, and where their victims are drawn from."""

    def __init__(self, nodes, crews, settings, phases):
        self.nodes, self.crews, self.settings = nodes, crews, settings
        self.names, self.rng = phases
        self.stretches = []

    def play(self, say):
        for name in self.names:
            fault = FAULTS[name](self.nodes, self.rng)
            self.crews.resume()
            self.watch_until(time.monotonic() + WARM_SECONDS)
            self.last(name, True, fault.begin, say)
            healed = self.last(name, False, fault.heal, say)
            self.crews.park()
            healed.converged_seconds, healed.differing = convergence.wait_converged(
                self.nodes, healed.begin, self.settings.patience
            )
            say('  ' + converged_text(healed))

    def last(self, name, during, action, say):
        """A stretch that begins with the action (which returns what it did), to its end."""
        stretch = Stretch(name, during)
        self.stretches.append(stretch)
        stretch.text = action()
        say(('%s: ' % name if during else '  ') + stretch.text)
        seconds = self.settings.fault_seconds if during else self.settings.heal_seconds
        self.watch_until(stretch.begin + seconds)
        stretch.end = time.monotonic()
        return stretch

    def watch_until(self, end):
        while time.monotonic() < end:
            time.sleep(CHECK_SECONDS)
            look_for_dead(self.nodes)


def look_for_dead(nodes):
    ended = nodes.ended_by_themselves()
    if ended:
        raise NodeEnded(', '.join('%s with status %s' % pair for pair in ended.items()))


def converged_text(stretch):
    if stretch.converged_seconds is not None:
        return 'all roots equal %.1f s after healing' % stretch.converged_seconds
    if stretch.differing is None:
        return 'roots unknown: a node did not answer'
    return 'roots still differ in %d partitions' % len(stretch.differing)
