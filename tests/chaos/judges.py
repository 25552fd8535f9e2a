# SPDX-License-Identifier: Apache-2.0
"""The verdict on each workload: its journal against the copies that the primaries hold in the end.
Pure. `copies`: key -> {node: [value as bytes, ...]}, of primaries only."""
import collections

from payloads import elements_of, filling_of, value_of

SHOWN_MAX = 5


class Verdict:
    """Counts that are shown, and violations of what the servers promise."""

    def __init__(self, name):
        self.name, self.counts, self.violations = name, {}, []
        self.suspects = []  # some of the keys that violations are about

    def violated(self, what, found):
        """`found`: texts that begin with the offending key; none is no violation."""
        self.counts[what] = len(found)
        if found:
            some = sorted(found)[:SHOWN_MAX]
            self.suspects += [one.split(' ')[0] for one in some]
            shown = ', '.join(some)
            self.violations.append('%s: %d %s: %s' % (self.name, len(found), what, shown))

    def line(self):
        return '%s: %s' % (self.name, ', '.join('%d %s' % (n, w) for w, n in self.counts.items()))


def judge_sets(journal, copies):
    verdict = Verdict('sets')
    attempted, acknowledged = journal['attempted'], journal['acknowledged']
    verdict.counts['acknowledged elements'] = sum(map(len, acknowledged.values()))
    verdict.counts['sets'] = len(attempted)
    lost, missing, invented = set(), set(), set()
    for key, tried in attempted.items():
        held = {node: elements_of(values) for node, values in copies[key].items()}
        anywhere = set().union(*held.values())
        for element in acknowledged.get(key, ()):
            if element not in anywhere:
                lost.add('%s %s' % (key, element))
            elif any(element not in elements for elements in held.values()):
                missing.add('%s %s' % (key, element))
        invented |= {'%s %s' % (key, element) for element in anywhere - tried}
    verdict.violated('lost', lost)
    verdict.violated('not at every primary', missing)
    verdict.violated('invented', invented)
    return verdict


def still_held(journal, copies):
    """Deleted keys that some primary still shows: it missed the delete, or the key came back."""
    return [key for key in sorted(journal['deleted']) if any(copies[key].values())]


def judge_unique(journal, copies, merged):
    """`merged`: of the keys of still_held(), what a read of all replicas shows."""
    verdict = Verdict('unique keys')
    deleted = journal['deleted']
    wanted = journal['acknowledged'] - deleted - journal['maybe_deleted']
    verdict.counts['acknowledged'] = len(journal['acknowledged'])
    verdict.counts['uncertain'] = len(journal['uncertain'])
    verdict.counts['deleted'] = len(deleted)
    groups = collections.defaultdict(set)
    for key in journal['acknowledged'] | journal['uncertain']:
        held = list(copies[key].values())
        if key in deleted and any(held):
            groups['resurrected' if merged.get(key, True) else 'delete missed'].add(key)
        elif key in wanted and not any(held):
            groups['lost'].add(key)
        elif key in wanted and not all(held):
            groups['not at every primary'].add(key)
        if any(value != value_of(key).encode() for values in held for value in values):
            groups['invented'].add(key)
        if any(len(values) > 1 for values in held):
            groups['doubled'].add(key)
    kinds = ('lost', 'not at every primary', 'resurrected', 'delete missed', 'invented', 'doubled')
    for what in kinds:
        verdict.violated(what, groups[what])
    return verdict


def judge_counters(journal, copies):
    """An increment that answered v stands in a version whose value is at least v; concurrent ones
    that answered the same v stand in as many siblings. And no version counts more than was sent."""
    verdict = Verdict('counters')
    answers, uncertain = journal['answers'], journal['uncertain']
    verdict.counts['acknowledged increments'] = sum(map(len, answers.values()))
    verdict.counts['uncertain'] = sum(uncertain.values())
    verdict.counts['counters'] = len(answers)
    verdict.counts['left with siblings'] = len(journal['forked'])
    groups = collections.defaultdict(set)
    for key in set(answers) | set(uncertain):
        sent = len(answers.get(key, ())) + uncertain.get(key, 0)
        held = [sorted(map(int, values)) for values in copies[key].values()]
        # The fullest copy: all hold the same once converged, and that they do is checked apart.
        best = max(held, key=lambda values: (len(values), values), default=[])
        if uncounted(answers.get(key, ()), best):
            groups['lost'].add('%s %s %s' % (key, uncounted(answers[key], best), held))
        elif any(values != best for values in held):
            groups['not at every primary'].add('%s %s' % (key, held))
        if any(value > sent for value in best):
            groups['counted too far'].add('%s %s of %d' % (key, best, sent))
    for what in ('lost', 'not at every primary', 'counted too far'):
        verdict.violated(what, groups[what])
    return verdict


def uncounted(answers, siblings):
    """The answers of increments that no sibling can contain."""
    return [
        answer
        for answer, times in sorted(collections.Counter(answers).items())
        if times > sum(value >= answer for value in siblings)
    ]


def judge_registers(journal, copies, deaths):
    """`deaths`: what lasts (change_schedule.py); the sloppy quorums of then may read old values."""
    verdict = Verdict('registers')
    verdict.counts['registers'] = len(journal['registers'])
    verdict.counts['reads'] = journal['reads']
    groups = collections.defaultdict(set)
    for key, (last, uncertain) in journal['registers'].items():
        held = [{int(value) for value in values} for values in copies[key].values()]
        later = {one for one in uncertain if one > last}
        allowed = {last} | later
        if last and not any(values & allowed for values in held):
            groups['lost'].add('%s %d of %s' % (key, last, held))
        elif last and not all(values & allowed for values in held):
            groups['not at every primary'].add('%s %d of %s' % (key, last, held))
        if any(values - {last} - uncertain for values in held):
            groups['brought back'].add('%s %d of %s' % (key, last, held))
    stale = [(began, '%s %s' % (key, text)) for began, key, text in journal['stale']]
    calm = {text for began, text in stale if not any(d.begin <= began <= d.end for d in deaths)}
    for what in ('lost', 'not at every primary', 'brought back'):
        verdict.violated(what, groups[what])
    verdict.violated('read wrongly while no node was down', calm)
    verdict.counts['read wrongly while one was'] = len(stale) - len(calm)
    return verdict


def judge_filling(keys, copies):
    """Keys that never change."""
    verdict = Verdict('filling')
    verdict.counts['keys'] = len(keys)
    groups = collections.defaultdict(set)
    for key in keys:
        right = [values == [filling_of(key).encode()] for values in copies[key].values()]
        if not any(right):
            groups['lost'].add(key)
        elif not all(right):
            groups['not at every primary'].add(key)
    for what in ('lost', 'not at every primary'):
        verdict.violated(what, groups[what])
    return verdict


def judge(results, copies, merged):
    """`results`: workload name -> journal."""
    return [
        judge_sets(results['sets'], copies),
        judge_unique(results['unique keys'], copies, merged),
        judge_counters(results['counters'], copies),
    ]


def keys_of(results):
    unique = results['unique keys']
    counters = results['counters']
    return sorted(
        set(results['sets']['attempted'])
        | unique['acknowledged']
        | unique['uncertain']
        | set(counters['answers'])
        | set(counters['uncertain'])
    )
