# SPDX-License-Identifier: Apache-2.0
"""What ./x chaos membership judges, against runs made by hand: an error is put where it belongs,
each kind of damage is found, and orders are drawn as they may be."""
import os
import random
import sys
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.dirname(__file__), os.path.join(ROOT, 'tests', 'integration')]
sys.dont_write_bytecode = True

# Found through the path above.
import change_promises  # noqa: E402
import change_schedule  # noqa: E402
import judges  # noqa: E402
from change_schedule import Away  # noqa: E402
from payloads import filling_of  # noqa: E402
from samples import Sample, State  # noqa: E402


def away(name, begin, end):
    one = Away(name, begin)
    one.end = end
    return one


class Plan:
    def __init__(self, deaths=(), outside=()):
        self.deaths, self.outside = list(deaths), list(outside)
        self.rests, self.troubles = [], []


class ErrorsOfClients(unittest.TestCase):
    """Node 0 is a, node 1 is b."""

    def kept(self, plan, *samples):
        errors = change_promises.Errors(samples, plan, 'ab')
        return [promise.kept for promise in change_promises.of_errors(errors)]

    def error(self, began, state, client='x', detail=''):
        return Sample(client, began, began + 0.1, state, ('SET', 'k'), 1, detail)

    def test_a_change_costs_nobody_an_error(self):
        self.assertEqual(self.kept(Plan()), [True] * 3)
        self.assertEqual(self.kept(Plan(), self.error(1, State.CONFLICT)), [True] * 3)
        uncertain = self.error(1, State.UNCERTAIN)
        self.assertEqual(self.kept(Plan(), uncertain), [True, False, True])
        refused = self.error(1, State.REFUSED, detail='NOQUORUM 1 of 2')
        self.assertEqual(self.kept(Plan(), refused), [False, True, True])

    def test_a_death_costs_what_was_in_flight(self):
        plan = Plan([away('a', 1.05, 9)])
        first = self.error(1, State.UNCERTAIN)
        self.assertEqual(self.kept(plan, first), [True] * 3)
        others = self.error(2, State.UNCERTAIN, 'y')
        self.assertEqual(self.kept(plan, first, others), [True] * 3)
        again = self.error(2, State.UNCERTAIN)
        self.assertEqual(self.kept(plan, first, again), [True] * 3)
        self.assertEqual(self.kept(plan, first, again, again), [True, True, False])
        self.assertEqual(self.kept(plan, self.error(0.9, State.UNCERTAIN)), [True, False, True])
        self.assertEqual(self.kept(plan, self.error(4.1, State.UNCERTAIN)), [True, False, True])

    def test_each_death_costs_so_much(self):
        plan = Plan([away('a', 1.05, 2), away('b', 2.05, 3)])
        errors = [self.error(1, State.UNCERTAIN), self.error(2, State.UNCERTAIN)] * 2
        self.assertEqual(self.kept(plan, *errors), [True] * 3)

    def test_a_quorum_is_missed_only_where_two_are_down(self):
        refused = self.error(3, State.REFUSED, detail='NOQUORUM 1 of 2')
        self.assertFalse(self.kept(Plan([away('a', 1, 9)]), refused)[0])
        self.assertFalse(self.kept(Plan([away('a', 1, 2), away('b', 2.5, 4)]), refused)[0])
        plan = Plan([away('a', 1, 9), away('b', 2.5, 4)])
        uncertain = [self.error(3.5, State.UNCERTAIN)] * 2
        self.assertEqual(self.kept(plan, refused, *uncertain), [True] * 3)

    def test_who_is_no_member_may_send_clients_elsewhere(self):
        told = self.error(5, State.REFUSED, detail='CLUSTERDOWN this node left')
        self.assertTrue(self.kept(Plan(outside=[away('b', 4, 6)]), told)[0])
        self.assertFalse(self.kept(Plan(outside=[away('a', 4, 6)]), told)[0])
        self.assertFalse(self.kept(Plan(outside=[away('b', 1, 1.5)]), told)[0])


class Registers(unittest.TestCase):
    def judge(self, copies, stale=(), deaths=(), uncertain=()):
        journal = {'registers': {'r': (7, set(uncertain))}, 'reads': 9, 'stale': list(stale)}
        return judges.judge_registers(journal, {'r': copies}, deaths)

    def test_all_there(self):
        self.assertEqual(self.judge({'a': [b'7'], 'b': [b'7']}).violations, [])

    def test_one_that_was_uncertain_may_have_come_later_or_beside(self):
        copies = {'a': [b'8'], 'b': [b'8']}
        self.assertEqual(self.judge(copies, uncertain=[8]).violations, [])
        self.assertIn('lost', self.judge(copies).violations[0])
        beside = {'a': [b'7', b'5'], 'b': [b'7']}
        self.assertEqual(self.judge(beside, uncertain=[5]).violations, [])

    def test_lost_and_lagging_and_brought_back(self):
        self.assertEqual(self.judge({'a': [], 'b': []}).counts['lost'], 1)
        self.assertEqual(self.judge({'a': [b'7'], 'b': []}).counts['not at every primary'], 1)
        self.assertEqual(self.judge({'a': [b'7', b'6'], 'b': [b'7']}).counts['brought back'], 1)

    def test_an_old_value_may_be_read_only_while_a_node_is_down(self):
        copies, read = {'a': [b'7']}, [(5.0, 'r', 'node 1 answered 6')]
        self.assertEqual(len(self.judge(copies, read).violations), 1)
        self.assertEqual(self.judge(copies, read, [away('a', 4, 6)]).violations, [])
        self.assertEqual(len(self.judge(copies, read, [away('a', 1, 2)]).violations), 1)


class Filling(unittest.TestCase):
    def counts(self, copies):
        verdict = judges.judge_filling(['fill:1'], {'fill:1': copies})
        return [verdict.counts['lost'], verdict.counts['not at every primary']]

    def test_filling(self):
        right = [filling_of('fill:1').encode()]
        self.assertEqual(self.counts({'a': right, 'b': right}), [0, 0])
        self.assertEqual(self.counts({'a': right, 'b': []}), [0, 1])
        self.assertEqual(self.counts({'a': [b'x'], 'b': []}), [1, 0])


class Orders(unittest.TestCase):
    def drawn(self, engine, has_kills):
        for seed in range(300):
            yield change_schedule.draw_steps(random.Random(seed), engine, has_kills)

    def test_everything_happens_once_and_enough_members_stay(self):
        for steps in self.drawn('leveldb', True):
            self.assertEqual(len({step.change for step in steps}), 6)
            self.assertFalse(steps[0].overlaps)
            members = 5
            for step in steps:
                members += step.change.adds
                self.assertGreaterEqual(members, 4)

    def test_nothing_dies_before_all_copies_are_there_again(self):
        for engine in ('leveldb', 'memory'):
            for steps in self.drawn(engine, True):
                deaths = 0
                for step in steps:
                    deaths = deaths if step.overlaps else 0
                    deaths += step.change.kills or (step.crashes and engine == 'memory')
                    self.assertLessEqual(deaths, 1)

    def test_gentle_ones_kill_nobody(self):
        for steps in self.drawn('memory', False):
            self.assertFalse(any(step.change.kills or step.crashes for step in steps))


if __name__ == '__main__':
    result = unittest.main(exit=False, verbosity=2).result
    failed = len(result.failures) + len(result.errors)
    print('%d passed, %d failed' % (result.testsRun - failed, failed))
    sys.exit(1 if failed else 0)
