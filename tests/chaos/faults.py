# SPDX-License-Identifier: Apache-2.0
"""The faults of a run: what each does to the nodes when it begins and when it is healed. A fault
draws its victims from the seed; processes get signals, links are cut in one or both directions."""
import itertools
import os
import shutil
import signal


class Fault:
    """What happens in a phase. `victims` are the nodes that it strikes."""

    cuts = False
    victims_wanted = 1

    def __init__(self, nodes, rng):
        self.nodes = nodes
        self.victims = rng.sample(nodes.names, self.victims_wanted)

    @property
    def others(self):
        return [name for name in self.nodes.names if name not in self.victims]

    def begin(self):
        """Returns a line that says what was done."""
        raise NotImplementedError

    def heal(self):
        """Returns a line that says what was done."""
        raise NotImplementedError


class Quiet(Fault):
    victims_wanted = 0

    def begin(self):
        return 'all nodes are well'

    def heal(self):
        return 'nothing to heal'


class Kill(Fault):
    def begin(self):
        self.nodes.kill(self.victims)
        return 'kill -9 of ' + ' and '.join(self.victims)

    def heal(self):
        self.nodes.start(*self.victims)
        return 'restart of ' + ' and '.join(self.victims)


class KillTwo(Kill):
    victims_wanted = 2


class Stop(Fault):
    def begin(self):
        self.nodes.send(self.victims[0], signal.SIGSTOP)
        return 'SIGSTOP of ' + self.victims[0]

    def heal(self):
        self.nodes.send(self.victims[0], signal.SIGCONT)
        return 'SIGCONT of ' + self.victims[0]


class Wipe(Fault):
    def begin(self):
        name = self.victims[0]
        self.nodes.kill(self.victims)
        shutil.rmtree(os.path.join(self.nodes.folder, name))
        self.nodes.start(name)
        return 'kill -9 of %s, its data deleted, started again' % name

    def heal(self):
        return 'nothing to heal'


class Cut(Fault):
    cuts = True

    def pairs(self):
        """(sender, receiver) whose messages are lost."""
        raise NotImplementedError

    def title(self):
        raise NotImplementedError

    def begin(self):
        self.nodes.network.cut(self.pairs())
        return self.title()

    def heal(self):
        self.nodes.network.heal()
        return 'the cut is healed'


def both_ways(some, others):
    pairs = list(itertools.product(some, others))
    return pairs + [(to, sender) for sender, to in pairs]


class Halves(Cut):
    victims_wanted = 2

    def pairs(self):
        return both_ways(self.victims, self.others)

    def title(self):
        return 'cut: %s | %s' % (' '.join(self.victims), ' '.join(self.others))


class Isolated(Cut):
    """No other node reaches it; clients do."""

    def pairs(self):
        return both_ways(self.victims, self.others)

    def title(self):
        return 'cut: %s from all other nodes, not from clients' % self.victims[0]


class Bridge(Cut):
    """Two sides that only one node still connects."""

    def pairs(self):
        rest = self.others
        return both_ways(rest[: len(rest) // 2], rest[len(rest) // 2 :])

    def title(self):
        rest = self.others
        sides = ' '.join(rest[: len(rest) // 2]), ' '.join(rest[len(rest) // 2 :])
        return 'cut: %s | %s, and %s reaches both sides' % (*sides, self.victims[0])


class OneWay(Cut):
    """It hears everybody and nobody hears it."""

    def pairs(self):
        return list(itertools.product(self.victims, self.others))

    def title(self):
        return 'cut: what %s sends to other nodes is lost' % self.victims[0]


class Unplugged(Fault):
    """Neither nodes nor clients reach it."""

    cuts = True

    def begin(self):
        self.nodes.network.unplug(self.victims[0])
        return 'the cable of %s is pulled' % self.victims[0]

    def heal(self):
        self.nodes.network.heal()
        return 'the cable is back'


class KillAll(Kill):
    def __init__(self, nodes, rng):
        super().__init__(nodes, rng)
        self.victims = list(nodes.names)


FAULTS = {
    'quiet': Quiet,
    'kill': Kill,
    'kill-two': KillTwo,
    'stop': Stop,
    'halves': Halves,
    'isolated': Isolated,
    'bridge': Bridge,
    'one-way': OneWay,
    'unplugged': Unplugged,
    'wipe': Wipe,
    'kill-all': KillAll,
}


def default_faults(network):
    return [
        name
        for name, fault in FAULTS.items()
        if name != 'kill-all' and (network.can_cut or not fault.cuts)
    ]
