# SPDX-License-Identifier: Apache-2.0
"""What has to hold while members change, and whether it did. Pure. A change alone costs no client
an error. A death costs each client at most what it had in flight; a node that is no member, or is
none any more, may send clients elsewhere."""
import collections

from availability import most_frequent
from promises import CONVERGED_SECONDS_MAX, GAP_SECONDS_MAX, GRACE_SECONDS, Promise
from samples import State, is_error, sends_elsewhere

P99_RATIO_MAX = 3
# One that the dead node had been sent, and one that the next node handed to it before it noticed.
IN_FLIGHT_MAX = 2


def is_within(sample, away, grace=0.0):
    """`away` has begin and end; `grace` is what it takes the others to notice."""
    return sample.ended >= away.begin and sample.began <= away.end + grace


def shortages(deaths):
    """The deaths that began while another node was down."""
    return [
        one
        for one in deaths
        if any(other is not one and other.begin <= one.begin < other.end for other in deaths)
    ]


class Errors:
    """The errors of a run, told apart. `names`: of the nodes, by the number that samples have."""

    def __init__(self, samples, plan, names):
        self.elsewhere, self.refused, self.in_flight, self.others = [], [], [], []
        self.without_quorum = []  # two nodes were down
        self.at_deaths = collections.Counter()  # (death, client)
        self.plan, self.names = plan, names
        self.short = shortages(plan.deaths)
        for sample in filter(is_error, samples):
            self.list_of(sample).append(sample)

    def list_of(self, sample):
        if sends_elsewhere(sample.detail):
            mine = [one for one in self.plan.outside if one.name == self.names[sample.node]]
            told = any(is_within(sample, one, GRACE_SECONDS) for one in mine)
            return self.elsewhere if told else self.refused
        if any(is_within(sample, one, GRACE_SECONDS) for one in self.short):
            return self.without_quorum
        if sample.state == State.REFUSED:
            return self.refused
        before = [death.begin for death in self.plan.deaths if death.begin <= sample.ended]
        if not before or sample.began > max(before) + GRACE_SECONDS:
            return self.others
        self.at_deaths[max(before), sample.client] += 1
        return self.in_flight

    def text(self, samples):
        shown = most_frequent(
            '%s at %s: %s' % (one.words[0], self.names[one.node], one.detail[:60])
            for one in samples
        )
        return '%d errors%s' % (
            len(samples), ''.join(', %d times %s' % (n, what) for what, n in shown))  # fmt: skip


def of_errors(errors):
    text = 'no client is refused by a member while at most one is down'
    yield Promise(text, not errors.refused, errors.text(errors.refused))
    text = 'no errors but within %g s after a death' % GRACE_SECONDS
    yield Promise(text, not errors.others, errors.text(errors.others))
    most = max(errors.at_deaths.values(), default=0)
    text = 'a death costs a client at most %d requests' % IN_FLIGHT_MAX
    yield Promise(text, most <= IN_FLIGHT_MAX, '%d for one client; %s' % (
        most, errors.text(errors.in_flight)))  # fmt: skip


def of_gaps(rows):
    gap, kind = max((row['longest_gap_seconds'], row['kind']) for row in rows)
    text = 'longest gap of a client <= %g s' % GAP_SECONDS_MAX
    yield Promise(text, gap <= GAP_SECONDS_MAX, '%.2f s (%s)' % (gap, kind))


def of_rests(rests):
    for kind, took, differing, wrong in rests:
        found = 'never, %s' % differing if took is None else '%.1f s' % took
        text = 'after %s all roots are equal within %g s' % (kind, CONVERGED_SECONDS_MAX)
        yield Promise(text, took is not None and took <= CONVERGED_SECONDS_MAX, found)
        text = 'after %s one ring, and each key at its owners alone' % kind
        yield Promise(text, not wrong, '; '.join(wrong) or 'so it is')


def change_promises(plan, errors, rows):
    """`rows` of the table."""
    found = list(of_errors(errors)) + list(of_gaps(rows))
    found += of_rests(plan.rests)
    text = 'each change is taken and settles, and no log tells of an error'
    found.append(Promise(text, not plan.troubles, '; '.join(plan.troubles) or 'so it is'))
    return found


def excused_lines(errors):
    """Errors that break no promise."""
    return [
        'sent elsewhere by nodes that were no members: ' + errors.text(errors.elsewhere),
        'while two nodes were down: ' + errors.text(errors.without_quorum),
    ]


def p99_line(rows):
    """Of the table, the quiet one first. No promise: other programs share the CPUs."""
    before = rows[0]['latency_ms']['p99'] if rows else 0
    if not before:
        return 'p99: nothing was measured'
    ratios = ['%s %.1f' % (row['kind'], row['latency_ms']['p99'] / before) for row in rows[1:]]
    above = [row['kind'] for row in rows[1:] if row['latency_ms']['p99'] > P99_RATIO_MAX * before]
    return 'p99 beside %.1f ms before: %s; %s' % (
        before,
        ', '.join(ratios),
        'above %d times: %s' % (P99_RATIO_MAX, ', '.join(above)) if above else
        'all within %d times' % P99_RATIO_MAX,
    )  # fmt: skip
