# SPDX-License-Identifier: Apache-2.0
"""What an administrator does to the members while clients write and read: a node joins, one leaves,
a dead one is removed, a dead one is replaced, a weight is doubled, n is raised. Victims, and the
node that is told, are drawn when a change begins, among those who are members then."""
import json
import signal
import urllib.parse

from node_processes import until

SEEN_SECONDS = 15  # until who is told a change knows of a node that waits, or that died


class Refused(Exception):
    """A change that the node would not take, though all that it needs was there."""


class Change:
    title = ''
    kills = False
    adds = 0  # members
    spare = ''  # the node that it starts

    def __init__(self, nodes, rng):
        self.nodes, self.rng = nodes, rng

    def wish(self):
        """Tells it to a member; a line that says what was done."""
        raise NotImplementedError

    def member(self):
        return self.rng.choice(self.nodes.names)

    def dialed(self):
        """One that a new node dials, and that knows of it: a founder in its file."""
        return self.rng.choice([name for name in self.nodes.names if name in self.nodes.founders])

    def say_to(self, told, change, body=b'', **words):
        query = urllib.parse.urlencode({'change': change, **words})
        found = [503, 'it does not answer']

        def is_taken():  # who joined just now begins anew, and is starting
            try:
                found[:] = self.nodes.asked(told, 'members?' + query, post=True, body=body)
            except OSError:
                return False
            return found[0] != 503

        until(is_taken, SEEN_SECONDS)
        status, document = found
        if status != 200:
            raise Refused('%s at %s: %d %s' % (query, told, status, document))
        return '%s, told to %s' % (document['wish'], told)

    def wait_state(self, told, name, state):
        if not until(lambda: self.nodes.states(told).get(name) == state, SEEN_SECONDS):
            raise Refused('%s is not seen as %s by %s: %s' % (
                name, state, told, self.nodes.states(told)))  # fmt: skip

    def start_spare(self, told):
        self.nodes.start_added(self.spare)
        self.wait_state(told, self.spare, 'waiting')


class Join(Change):
    title, spare, adds = 'join', 'j', 1

    def wish(self):
        told = self.dialed()
        self.start_spare(told)
        text = self.say_to(told, 'join', name=self.spare)
        self.nodes.names.append(self.spare)
        return text


class Leave(Change):
    title, adds = 'leave', -1

    def wish(self):
        victim = self.member()
        text = self.say_to(self.member(), 'leave', name=victim)
        self.nodes.depart(victim)
        self.nodes.leaving.append(victim)
        return text


class Death(Change):
    """Of a member that never comes back."""

    kills = True

    def strike(self):
        """Returns who died, once somebody knows of it."""
        self.victim = self.member()
        self.nodes.depart(self.victim)
        self.nodes.kill([self.victim])
        self.told = self.dialed()
        self.wait_state(self.told, self.victim, 'down')
        return self.victim


class Remove(Death):
    title, adds = 'remove', -1

    def wish(self):
        return self.say_to(self.told, 'remove', name=self.victim)


class Replace(Death):
    title, spare = 'replace', 'r'

    def wish(self):
        self.start_spare(self.told)
        text = self.say_to(self.told, 'replace', name=self.victim, by=self.spare)
        self.nodes.names.append(self.spare)
        return text


class Weight(Change):
    title = 'weight'

    def wish(self):
        victim = self.member()
        self.nodes.weights[victim] = 2
        return self.say_to(self.member(), 'weight', name=victim, weight=2)


class Raise(Change):
    """By an edited file: n from 3 to 4, and w to a majority of them."""

    title = 'raise n'

    def wish(self):
        file = self.nodes.edited_file(4, 3)
        text = self.say_to(self.member(), 'apply', json.dumps({'file': file}).encode())
        self.nodes.replicas = 4
        return text


CHANGES = (Join, Leave, Remove, Replace, Weight, Raise)


class Crash:
    """kill -9 of a node that gives or takes a partition which moves just then."""

    def __init__(self, nodes, rng):
        self.nodes, self.rng = nodes, rng

    def choose(self, seconds):
        """(name, text); no name where nothing moves any more."""
        row = until(self.moving_row, seconds)
        if not row:
            return '', 'nothing moved any more that could be interrupted'
        name = self.rng.choice(row['from'] + row['to'])
        return name, 'kill -9 of %s, a %s of partition %d (%s)' % (
            name,
            'source' if name in row['from'] else 'target',
            row['partition'],
            row['waits'],
        )

    def moving_row(self):
        """One whose owners all run."""
        running = self.nodes.running
        rows = [
            row
            for row in self.nodes.moves(self.rng.choice(self.nodes.names))
            if row['to'] and set(row['from'] + row['to']) <= running
        ]
        return self.rng.choice(rows) if rows else None


def end_departed(nodes, name):
    """Who left and holds nothing is stopped; its exit status."""
    nodes.leaving.remove(name)
    nodes.running.discard(name)
    return nodes.end(name, signal.SIGTERM)
