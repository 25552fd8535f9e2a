#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the cases of partition_sets_test.cc: histories, and what the executable model of the
membership rules says of them. Half are states that the model's schedules reach, half are drawn.

    make_cases.py <membership_model.py> <number of cases> > partition_sets_cases.txt

A case: its changes (clock.origin); its sets (by letter: F is the founding set), each with its
changes, owners, n r w, removed and placed nodes; facts; then what is expected. Nodes are
numbers from 1."""
import random
import sys
import types
from collections import Counter

PARTITION = 0
WORLDS_MAX = 4000


def load_model(path):
    """The model restarts Python once, with a fixed hash seed, on the same arguments."""
    module = types.ModuleType('membership_model')
    with open(path, encoding='utf-8') as file:
        exec(compile(file.read(), path, 'exec'), module.__dict__)  # it is no package
    return module


class Case:
    """A history in a world of the model, and what follows for the partition."""

    def __init__(self, model, world, history):
        self.model, self.world, self.history = model, world, history
        self.view = world.view(history)
        self.play = self.view.P[PARTITION]
        self.facts = [e for e in history if e[0] != 'chg']
        named = {0, self.view.c}
        for fact in self.facts:
            if fact[0] == 'conf' and fact[1] == PARTITION:
                named |= {fact[3]} | fact[4]
            elif fact[0] == 'vote' and fact[1] == PARTITION:
                named.add(fact[3])
            elif fact[0] in ('set', 'lost') and fact[1] == PARTITION:
                named.add(fact[2])
        order = sorted(named, key=lambda c: (len(world.csets[c]), c))
        assert order[0] == 0 and len(order) <= 20
        self.letters = {c: chr(ord('F') + at) for at, c in enumerate(order)}
        self.states, self.sources = [], []
        for node in self.nodes():
            self.ask(node)

    def nodes(self):
        nodes = {fact[1] for fact in self.facts if fact[0] == 'gone'}
        for c in self.letters:
            nodes |= set(self.world.ring(c).own[PARTITION])
        return sorted(nodes)

    def ask(self, number):
        """What progress_at() lets the node state, where all exchanges that it needs were made."""
        world, node = self.world, self.model.Node(self.world, number)
        node.load()
        node.hist, node.v = self.history, self.view

        def sourced(p, x, c):
            ring = world.ring(x)
            owners = [
                q
                for q in ring.own[p]
                if q not in world.ring(c).removed and q not in node.v.struck
            ]
            self.sources.append((number, x, min(ring.K, len(owners)), owners))
            return True

        def state(*fact):
            if fact not in self.history:
                self.states.append((number, fact))

        node.sourced, node.fact = sourced, state
        if number not in self.view.removed:
            node.progress_at(PARTITION)

    def kind(self):
        """Of the like there are to be few."""
        world, play = self.world, self.play
        rings = [world.ring(x) for x in self.letters]
        return (
            len(play.live),
            play.moving,
            self.view.c in play.live,
            len({fact[0] for _, fact in self.states}),
            frozenset(fact[0] for fact in self.facts),
            len({(ring.n, ring.r, ring.w) for ring in rings}) > 1,
            bool(self.view.removed),
            any(x not in play.live and x != self.view.c for x in self.letters),
        )

    def ids(self, nodes):
        return ' '.join(str(node + 1) for node in nodes)

    def names(self, sets):
        return ' '.join(self.letters[c] for c in sorted(sets))

    def write_sets(self, out):
        for c, letter in self.letters.items():
            changes = sorted((e[1], e[2]) for e in self.world.csets[c])
            ring = self.world.ring(c)
            out.append('set %s %s' % (letter, ' '.join('%d.%d' % (h, o + 1) for h, o in changes)))
            out.append('owners %s %s' % (letter, self.ids(ring.own[PARTITION])))
            out.append('quorum %s %d %d %d' % (letter, ring.n, ring.r, ring.w))
            if ring.removed:
                out.append('removed %s %s' % (letter, self.ids(sorted(ring.removed))))
            out.append('placed %s %s' % (letter, self.ids(sorted(ring.members))))

    def fact_line(self, fact):
        kind = fact[0]
        if kind == 'gone':
            return 'gone %d' % (fact[1] + 1)
        if fact[1] != PARTITION:
            return None
        if kind == 'vote':
            return 'vote %d %s' % (fact[2] + 1, self.letters[fact[3]])
        if kind == 'conf':
            from_sets = self.names(fact[4])
            return 'confirmed %d %s %s' % (fact[2] + 1, self.letters[fact[3]], from_sets)
        if kind == 'set':
            return 'settled %s' % self.letters[fact[2]]
        return 'lost %s %s' % (self.letters[fact[2]], self.ids(sorted(fact[3])))

    def lines(self):
        out = []
        self.write_sets(out)
        out += sorted(filter(None, map(self.fact_line, self.facts)))
        play, world = self.play, self.world
        out.append('= newest %s' % self.letters[self.view.c])
        out.append('= live %s' % self.names(play.live))
        for x in set(play.live) | {self.view.c}:
            left = [o for o in world.ring(x).own[PARTITION] if o not in self.view.struck]
            out.append('= left %s %s' % (self.letters[x], self.ids(left)))
        out.append('= owners %s' % self.ids(sorted(play.owners)))
        for x in self.letters:
            for c in self.letters:
                if world.sub(x, c):
                    fresh = self.ids(sorted(world.fresh(x, c, PARTITION)))
                    out.append('= fresh %s %s %s' % (self.letters[x], self.letters[c], fresh))
        for number, x, needed, owners in self.sources:
            line = '= sources %d %s %d %s'
            out.append(line % (number + 1, self.letters[x], needed, self.ids(sorted(owners))))
        for number, fact in self.states:
            out.append('= states %d %s' % (number + 1, self.fact_line(fact)))
        return [line.rstrip() for line in out]


def has_all(world, history):
    """Facts about sets whose changes are known: the model's histories are whole."""
    return all(
        world.csets[e[3] if e[0] in ('vote', 'conf') else e[2]] <= history
        for e in history
        if e[0] in ('vote', 'conf', 'set', 'lost')
    )


def reached(model):
    """States of the model's own schedules."""
    for seed in range(1, WORLDS_MAX):
        mode = ['race', 'any', 'split', 'race'][seed % 4]
        world = model.World(seed, model.FIX, {'mode': mode, 'steps': 60})
        world.run()
        histories = [h for h in world.cache if has_all(world, h)]
        random.Random(seed).shuffle(histories)
        for history in histories[:12]:
            yield Case(model, world, history)


def draw_ring(model, world, rng, c, nodes):
    ring = world.rings[c] = model.Ring()
    departed = rng.sample(nodes, rng.choice([0, 0, 0, 1, 2]))
    gone = {node for node in departed if rng.random() < 0.6}
    ring.removed, ring.left = frozenset(gone), frozenset(departed) - gone
    ring.members, ring.ignored = frozenset(nodes) - frozenset(departed), set()
    ring.n = min(rng.choice([1, 2, 3, 3, 3, 4]), len(ring.members))
    ring.r, ring.w = rng.randint(1, ring.n), rng.randint(1, ring.n)
    ring.K = max(ring.n - min(ring.r, ring.w) + 1, ring.n // 2 + 1)
    ring.own = [tuple(rng.sample(sorted(ring.members), ring.n))] * world.P
    return ring


def draw_facts(world, rng, sets, nodes):
    facts = set()
    for c in sets[1:]:
        older = [x for x in sets if world.sub(x, c)]
        eager = rng.choice([0.3, 0.7, 1])
        for node in nodes:
            fresh = any(node in world.fresh(x, c, PARTITION) for x in older)
            if fresh and rng.random() < eager:
                taken = [x for x in older if rng.random() < 0.9]
                if taken:
                    facts.add(('conf', PARTITION, node, c, frozenset(taken)))
            if rng.random() < eager * 0.7 and c:
                facts.add(('vote', PARTITION, node, c))
        if rng.random() < 0.1:
            facts.add(('set', PARTITION, c))
    for node in nodes:
        if rng.random() < 0.07:
            facts.add(('gone', node))
    return facts


def is_unlike(world, sets):
    """In the model the owners say what r and w are, and it does not compare those."""
    rings = [world.ring(c) for c in sets]
    numbers = {(ring.own[PARTITION], ring.n, ring.r, ring.w) for ring in rings}
    return len(numbers) > len({ring.own[PARTITION] for ring in rings})


def drawn(model):
    """Sets with any owners, and any facts about them."""
    for seed in range(1, 40 * WORLDS_MAX):
        rng = random.Random(seed)
        world = model.World(seed, model.FIX, {'mode': 'calm', 'P': 1, 'n': 3})
        nodes = list(range(rng.randint(3, 6)))
        changes = [('chg', 10 + at, rng.choice(nodes), 'weight', 0, str(at)) for at in range(4)]
        changes = changes[: rng.randint(1, 4)]
        subsets = [frozenset(e for e in changes if rng.random() < 0.6) for _ in range(3)]
        sets = sorted(
            {world.cid(s) for s in [frozenset(), *subsets, frozenset(changes)]},
            key=lambda c: len(world.csets[c]),
        )
        base = draw_ring(model, world, rng, sets[0], nodes)
        for c in sets[1:]:
            ring = draw_ring(model, world, rng, c, nodes)
            if rng.random() < 0.4 and set(base.own[0]) <= ring.members:
                ring.n, ring.r, ring.w, ring.K, ring.own = base.n, base.r, base.w, base.K, base.own
        if is_unlike(world, sets):
            continue
        facts = draw_facts(world, rng, sets, nodes)
        history = world.norm(frozenset(changes) | facts)
        if not history <= frozenset(changes) | facts or len(sets) < 2:
            continue
        yield Case(model, world, history)


def choose(cases, count, alike_max):
    """At most so many of a kind, and no case twice."""
    kinds, seen, chosen = Counter(), set(), []
    for case in cases:
        if len(chosen) >= count:
            break
        kind, lines = case.kind(), tuple(case.lines())
        if kinds[kind] >= alike_max or lines in seen:
            continue
        kinds[kind] += 1
        seen.add(lines)
        chosen.append(lines)
    return chosen


def main():
    model, count = load_model(sys.argv[1]), int(sys.argv[2])
    cases = choose(reached(model), count // 2, 2) + choose(drawn(model), count - count // 2, 3)
    print('# Written by make_cases.py from the model of the membership rules: do not edit.')
    for number, lines in enumerate(cases):
        print('case %d' % number)
        print('\n'.join(lines))
    print('end')


if __name__ == '__main__':
    main()
