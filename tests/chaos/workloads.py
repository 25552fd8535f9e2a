# SPDX-License-Identifier: Apache-2.0
"""What the clients do: sets of elements, keys that are written once and some deleted, counters. A
workload keeps a journal of what it tried and what was acknowledged; judges.py compares it with what
the nodes hold in the end. The clients of a workload are threads that share it."""
import threading
import time

from clients import MemcachedClient, RedisClient
from payloads import elements_of, filling_key, filling_of, set_of, value_of
from samples import State

SETS, SET_ELEMENTS_MAX = 24, 60
COUNTERS = 12
REGISTERS = 100  # of each client
FILLING = 20000  # keys that are there from the beginning, and never change
DELETE_SHARE = 0.2
DELETE_BACKLOG = 50  # keys that are old enough to be deleted


class Workload:
    name = ''
    kinds_of_clients = (RedisClient,) * 3

    def __init__(self):
        self.lock = threading.Lock()

    def step(self, client, rng):
        raise NotImplementedError

    def journal(self):
        """Plain data."""
        raise NotImplementedError


class SetWorkload(Workload):
    """Reads a set with its context, writes the union with one more element: what Dynamo's cart
    does. Siblings are merged by the next who reads them."""

    name = 'sets'

    def __init__(self):
        super().__init__()
        self.generations = [0] * SETS
        self.attempted, self.acknowledged = {}, {}
        self.count = 0

    def step(self, client, rng):
        number = rng.randrange(SETS)
        with self.lock:
            generation = self.generations[number]
            self.count += 1
            element = 'e%d' % self.count
        key = 'set:%d:%d' % (number, generation)
        read = client.request('KV.GET', key)
        if read is None or read.state != State.ANSWERED:
            return
        context, values = read.reply
        elements = elements_of(values) | {element}
        with self.lock:
            self.attempted.setdefault(key, set()).add(element)
        written = client.request('KV.PUT', key, context, set_of(elements))
        with self.lock:
            if written is not None and written.state == State.ANSWERED:
                self.acknowledged.setdefault(key, set()).add(element)
            if len(elements) >= SET_ELEMENTS_MAX and self.generations[number] == generation:
                self.generations[number] += 1

    def journal(self):
        return {'attempted': self.attempted, 'acknowledged': self.acknowledged}


class UniqueWorkload(Workload):
    """Writes each key once, through both protocols; deletes some that were acknowledged."""

    name = 'unique keys'
    kinds_of_clients = (RedisClient, RedisClient, MemcachedClient)

    def __init__(self):
        super().__init__()
        self.count = 0
        self.acknowledged, self.uncertain, self.backlog = set(), set(), []
        self.deleted, self.maybe_deleted = set(), set()

    def step(self, client, rng):
        if isinstance(client, RedisClient) and rng.random() < DELETE_SHARE:
            self.delete(client, rng)
        with self.lock:
            self.count += 1
            key = 'unique:%d' % self.count
        outcome = client.request('SET', key, value_of(key))
        with self.lock:
            if outcome is None or outcome.state == State.REFUSED:
                return
            if outcome.state == State.ANSWERED:
                self.acknowledged.add(key)
                self.backlog.append(key)
            else:
                self.uncertain.add(key)

    def delete(self, client, rng):
        with self.lock:
            if len(self.backlog) < DELETE_BACKLOG:
                return
            key = self.backlog.pop(rng.randrange(len(self.backlog)))
        outcome = client.request('DEL', key)
        with self.lock:
            if outcome is None or outcome.state == State.REFUSED:
                return
            # One that a second coordinator repeats finds nothing, and answers 0, where the first
            # had deleted and could not say so.
            answered = outcome.state == State.ANSWERED and outcome.reply == 1
            (self.deleted if answered else self.maybe_deleted).add(key)

    def journal(self):
        return {
            'acknowledged': self.acknowledged,
            'uncertain': self.uncertain,
            'deleted': self.deleted,
            'maybe_deleted': self.maybe_deleted,
        }


class CounterWorkload(Workload):
    """Counts with INCR. Where a cut made siblings of a counter, INCR answers CONFLICT: the counter
    is left as it is, and another takes its place."""

    name = 'counters'

    def __init__(self):
        super().__init__()
        self.generations = [0] * COUNTERS
        self.answers, self.uncertain, self.forked = {}, {}, set()

    def step(self, client, rng):
        number = rng.randrange(COUNTERS)
        with self.lock:
            generation = self.generations[number]
        key = 'counter:%d:%d' % (number, generation)
        outcome = client.request('INCR', key)
        if outcome is None:
            return
        with self.lock:
            if outcome.state == State.ANSWERED:
                self.answers.setdefault(key, []).append(outcome.reply)
            elif outcome.state == State.UNCERTAIN:
                self.uncertain[key] = self.uncertain.get(key, 0) + 1
            elif outcome.state == State.CONFLICT:
                self.forked.add(key)
                if self.generations[number] == generation:
                    self.generations[number] += 1

    def journal(self):
        return {'answers': self.answers, 'uncertain': self.uncertain, 'forked': self.forked}


class RegisterWorkload(Workload):
    """Each client overwrites keys of its own and reads them: a read finds the last write that was
    acknowledged, or one after it of which nobody knows. It also reads keys that never change."""

    name = 'registers'

    def __init__(self):
        super().__init__()
        self.registers = {}  # key -> Register
        self.stale = []  # (when the read began, key, what was wrong)
        self.reads = 0

    def step(self, client, rng):
        key = 'register:%s:%d' % (client.title.replace(' ', '-'), rng.randrange(REGISTERS))
        with self.lock:
            mine = self.registers.setdefault(key, Register())
        mine.count += 1
        outcome = client.request('SET', key, mine.count)
        if outcome is not None and outcome.state == State.ANSWERED:
            mine.acknowledged, mine.open = mine.count, set()
        elif outcome is not None and outcome.state == State.UNCERTAIN:
            mine.open.add(mine.count)
            mine.uncertain.add(mine.count)
        self.read(client, key, {b'%d' % one for one in {mine.acknowledged} | mine.open if one})
        key = filling_key(rng.randrange(FILLING))
        self.read(client, key, {filling_of(key).encode()})

    def read(self, client, key, awaited):
        began = time.monotonic()
        outcome = client.request('GET', key)
        if outcome is None or outcome.state != State.ANSWERED or not awaited:
            return
        found = outcome.reply if isinstance(outcome.reply, list) else [outcome.reply]
        with self.lock:
            self.reads += 1
            if not awaited & set(found):
                asked = client.samples[-1].node
                self.stale.append((began, key, 'node %d answered %.60r, not %.60r' % (
                    asked, found, sorted(awaited))))  # fmt: skip

    def journal(self):
        return {
            'registers': {
                key: (one.acknowledged, one.uncertain) for key, one in self.registers.items()
            },
            'stale': self.stale,
            'reads': self.reads,
        }


class Register:
    """Numbers that were written, from 1 on: the last one that was acknowledged, those after it of
    which nobody knows, and all of which nobody knows."""

    def __init__(self):
        self.count, self.acknowledged = 0, 0
        self.open, self.uncertain = set(), set()


WORKLOADS = (SetWorkload, UniqueWorkload, CounterWorkload)
