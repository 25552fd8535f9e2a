# SPDX-License-Identifier: Apache-2.0
"""The judges, promises and figures of ./x chaos against runs made by hand: each kind of damage is
found, and nothing else is."""
import os
import sys
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.dirname(__file__), os.path.join(ROOT, 'tests', 'integration')]
sys.dont_write_bytecode = True

# Found through the path above.
import availability  # noqa: E402
import convergence  # noqa: E402
import judges  # noqa: E402
import promises  # noqa: E402
from payloads import set_of, value_of  # noqa: E402
from samples import Sample, State, state_of  # noqa: E402


def everywhere(*values):
    """The same copy at three primaries."""
    return {node: [value.encode() for value in values] for node in 'abc'}


def counts_of(verdict, *names):
    return [verdict.counts[name] for name in names]


class Sets(unittest.TestCase):
    JOURNAL = {'attempted': {'s': {'x', 'y', 'z'}}, 'acknowledged': {'s': {'x', 'y'}}}
    NAMES = ('lost', 'not at every primary', 'invented')

    def judge(self, copies):
        return judges.judge_sets(self.JOURNAL, {'s': copies})

    def test_siblings_are_one_set(self):
        verdict = self.judge(everywhere(set_of('x'), set_of('yz')))
        self.assertEqual(verdict.violations, [])
        self.assertEqual(verdict.counts['acknowledged elements'], 2)

    def test_lost(self):
        verdict = self.judge(everywhere('x z'))
        self.assertEqual(counts_of(verdict, *self.NAMES), [1, 0, 0])
        self.assertIn('s y', verdict.violations[0])

    def test_a_primary_lags(self):
        verdict = self.judge({**everywhere('x y'), 'c': [b'x']})
        self.assertEqual(counts_of(verdict, *self.NAMES), [0, 1, 0])

    def test_invented(self):
        verdict = self.judge(everywhere('x y w'))
        self.assertEqual(counts_of(verdict, *self.NAMES), [0, 0, 1])


class UniqueKeys(unittest.TestCase):
    NAMES = ('lost', 'not at every primary', 'resurrected', 'invented', 'doubled')

    def judge(self, copies, merged=None, **journal):
        whole = {name: set() for name in ('uncertain', 'deleted', 'maybe_deleted')}
        whole = {'acknowledged': {'k'}, **whole, **journal}
        verdict = judges.judge_unique(whole, {'k': copies}, {} if merged is None else merged)
        return counts_of(verdict, *self.NAMES)

    def test_there(self):
        self.assertEqual(self.judge(everywhere(value_of('k'))), [0, 0, 0, 0, 0])

    def test_lost(self):
        self.assertEqual(self.judge(everywhere()), [1, 0, 0, 0, 0])
        self.assertEqual(self.judge({**everywhere(value_of('k')), 'b': []}), [0, 1, 0, 0, 0])

    def test_uncertain_ones_may_be_there_or_not(self):
        for copies in (everywhere(), everywhere(value_of('k'))):
            got = self.judge(copies, acknowledged=set(), uncertain={'k'})
            self.assertEqual(got, [0, 0, 0, 0, 0])

    def test_deleted(self):
        self.assertEqual(self.judge(everywhere(), deleted={'k'}), [0, 0, 0, 0, 0])
        one_has_it = {**everywhere(), 'b': [value_of('k').encode()]}
        self.assertEqual(self.judge(one_has_it, deleted={'k'}), [0, 0, 1, 0, 0])
        self.assertEqual(self.judge(one_has_it, maybe_deleted={'k'}), [0, 0, 0, 0, 0])

    def test_a_primary_missed_the_delete(self):
        journal = {'acknowledged': {'k'}, 'uncertain': set(), 'deleted': {'k'}}
        journal['maybe_deleted'] = set()
        copies = {'k': {**everywhere(), 'b': [value_of('k').encode()]}}
        self.assertEqual(judges.still_held(journal, copies), ['k'])
        verdict = judges.judge_unique(journal, copies, {'k': []})
        self.assertEqual(counts_of(verdict, 'resurrected', 'delete missed'), [0, 1])
        self.assertTrue(verdict.violations)
        self.assertEqual(judges.still_held(journal, {'k': everywhere()}), [])

    def test_invented_and_doubled(self):
        self.assertEqual(self.judge(everywhere('other')), [0, 0, 0, 1, 0])
        value = value_of('k')
        self.assertEqual(self.judge(everywhere(value, value)), [0, 0, 0, 0, 1])


class Counters(unittest.TestCase):
    NAMES = ('lost', 'not at every primary', 'counted too far')

    def judge(self, answers, uncertain, copies):
        journal = {'answers': {'n': answers}, 'uncertain': {'n': uncertain}, 'forked': set()}
        return counts_of(judges.judge_counters(journal, {'n': copies}), *self.NAMES)

    def test_all_counted(self):
        self.assertEqual(self.judge([1, 2, 3], 0, everywhere('3')), [0, 0, 0])
        self.assertEqual(self.judge([1, 2, 4], 1, everywhere('4')), [0, 0, 0])
        self.assertEqual(self.judge([1, 2, 3], 1, everywhere('4')), [0, 0, 0])

    def test_lost(self):
        self.assertEqual(self.judge([1, 2, 3], 0, everywhere('2')), [1, 0, 0])
        self.assertEqual(self.judge([1], 0, everywhere()), [1, 0, 0])

    def test_one_increment_overwrote_another(self):
        self.assertEqual(self.judge([1, 2, 2, 3], 0, everywhere('3')), [1, 0, 0])

    def test_siblings_keep_both_branches(self):
        self.assertEqual(self.judge([1, 2, 2, 3], 0, everywhere('3', '2')), [0, 0, 0])
        self.assertEqual(self.judge([1, 2, 2, 3, 3], 0, everywhere('3', '2')), [1, 0, 0])

    def test_counted_twice(self):
        self.assertEqual(self.judge([1, 3], 0, everywhere('3')), [0, 0, 1])

    def test_a_primary_lags(self):
        self.assertEqual(self.judge([1, 2], 0, {**everywhere('2'), 'a': [b'1']}), [0, 1, 0])


class Roots(unittest.TestCase):
    def test_differing(self):
        primaries = [['a', 'b', 'c'], ['b', 'c', 'd']]
        same = {'a': {(0, 0): 'r'}, 'b': {(0, 0): 'r'}, 'c': {(0, 0): 'r'}, 'd': {}}
        self.assertEqual(convergence.differing_partitions(primaries, same), [])
        lacking = {**same, 'b': {(0, 0): 'r', (0, 1): 's'}}
        self.assertEqual(convergence.differing_partitions(primaries, lacking), [(0, 1)])
        other = {**same, 'c': {(0, 0): 'q'}}
        self.assertEqual(convergence.differing_partitions(primaries, other), [(0, 0)])


def sample(began, state=State.ANSWERED, client='x', seconds=0.001):
    return Sample(client, began, began + seconds, state)


class Availability(unittest.TestCase):
    def test_gap_counts_from_begin_to_end(self):
        samples = [sample(at) for at in (1.0, 2.0, 4.5, 5.0)] + [sample(4.0, State.UNCERTAIN)]
        gap, who = availability.longest_gap(samples, 1.0, 5.0)
        self.assertAlmostEqual(gap, 2.5)
        self.assertEqual(who, 'x')
        self.assertAlmostEqual(availability.longest_gap(samples, 1.0, 9.0)[0], 3.999)
        self.assertAlmostEqual(availability.longest_gap(samples, -5.0, 1.5)[0], 6.001)

    def test_the_client_that_waits_longest(self):
        samples = [sample(at / 10) for at in range(50)] + [sample(1.0, client='y')]
        self.assertEqual(availability.longest_gap(samples, 0.0, 5.0)[1], 'y')

    def test_summary(self):
        samples = [sample(at / 1000, seconds=at / 1e6) for at in range(1000)]
        samples += [sample(0.5, State.REFUSED), sample(0.6, State.CONFLICT), sample(7)]
        row = availability.summary(samples, 0.0, 2.0)
        self.assertEqual((row['requests'], row['errors']), (1002, 1))
        self.assertAlmostEqual(row['latency_ms']['p50'], 0.5, 2)
        self.assertAlmostEqual(row['latency_ms']['p99.9'], 0.999, 2)

    def test_nothing_at_all(self):
        row = availability.summary([], 0.0, 2.0)
        self.assertEqual((row['errors'], row['longest_gap_seconds']), (0, 2.0))

    def test_states(self):
        self.assertEqual(state_of('NOQUORUM 1 of 2'), State.REFUSED)
        self.assertEqual(state_of('noquorum 1 of 2'), State.REFUSED)
        self.assertEqual(state_of('CONFLICT 2 siblings'), State.CONFLICT)
        self.assertEqual(state_of('UNCERTAIN 1 of 2'), State.UNCERTAIN)
        self.assertEqual(state_of(''), State.UNCERTAIN)


class Stretch:
    fault, during, begin, end, converged_seconds, differing = 'kill', True, 0.0, 6.0, None, None


class Promises(unittest.TestCase):
    def kept(self, samples):
        return [promise.kept for promise in promises.of_kill(Stretch(), samples)]

    def test_kill(self):
        fine = [sample(at / 1000) for at in range(6000)]
        self.assertEqual(self.kept(fine), [True, True, True])
        self.assertEqual(self.kept(fine + [sample(1, State.UNCERTAIN)]), [True, True, True])
        early = [sample(1, State.UNCERTAIN)] * 4
        self.assertEqual(self.kept(fine + early), [False, True, True])
        self.assertEqual(self.kept(fine + [sample(4, State.REFUSED)]), [True, True, False])
        self.assertEqual(self.kept(fine[:2000] + fine[3100:]), [True, False, True])

    def test_healing(self):
        stretch = Stretch()
        self.assertFalse(promises.of_healing(stretch).kept)
        stretch.converged_seconds = 9.9
        self.assertTrue(promises.of_healing(stretch).kept)
        stretch.converged_seconds = 10.1
        self.assertFalse(promises.of_healing(stretch).kept)


if __name__ == '__main__':
    result = unittest.main(exit=False, verbosity=2).result
    failed = len(result.failures) + len(result.errors)
    print('%d passed, %d failed' % (result.testsRun - failed, failed))
    sys.exit(1 if failed else 0)
