# SPDX-License-Identifier: Apache-2.0
"""What has to hold, of data and of availability, and whether it did. Pure."""
from availability import between, error_rate, longest_gap
from samples import is_error

GRACE_SECONDS = 3.0
GRACE_ERROR_RATE_MAX = 0.001
GAP_SECONDS_MAX = 1.0
CONVERGED_SECONDS_MAX = 10.0


class Promise:
    def __init__(self, text, kept, found):
        self.text, self.kept, self.found = text, kept, found

    def line(self):
        return '%-6s %s: %s' % ('kept' if self.kept else 'BROKEN', self.text, self.found)


def of_kill(stretch, samples):
    begin, graced = stretch.begin, stretch.begin + GRACE_SECONDS
    if stretch.fault == 'kill':
        rate = error_rate(between(samples, begin, graced))
        text = 'one node killed: errors <= %g %% in the first %g s' % (
            100 * GRACE_ERROR_RATE_MAX,
            GRACE_SECONDS,
        )
        yield Promise(text, rate <= GRACE_ERROR_RATE_MAX, '%.3f %%' % (100 * rate))
        gap, who = longest_gap(samples, begin, stretch.end)
        text = 'one node killed: longest gap of a client <= %g s' % GAP_SECONDS_MAX
        yield Promise(text, gap <= GAP_SECONDS_MAX, '%.2f s (%s)' % (gap, who))
    count = 'one node' if stretch.fault == 'kill' else 'two nodes'
    if stretch.end > graced:
        late = sum(map(is_error, between(samples, graced, stretch.end)))
        text = '%s killed: no errors after %g s' % (count, GRACE_SECONDS)
        yield Promise(text, late == 0, '%d errors' % late)


def of_healing(stretch):
    took = stretch.converged_seconds
    found = 'never' if took is None else '%.1f s' % took
    if stretch.differing:
        found += ', %d partitions differ' % len(stretch.differing)
    text = 'after %s all roots are equal within %g s' % (stretch.fault, CONVERGED_SECONDS_MAX)
    return Promise(text, took is not None and took <= CONVERGED_SECONDS_MAX, found)


def of_verdict(verdict):
    text = '%s: nothing lost, invented or brought back' % verdict.name
    return Promise(text, not verdict.violations, '; '.join(verdict.violations) or 'so it is')


def all_promises(stretches, samples, verdicts):
    found = []
    for stretch in stretches:
        if stretch.during and stretch.fault in ('kill', 'kill-two'):
            found += of_kill(stretch, samples)
        if not stretch.during:
            found.append(of_healing(stretch))
    return found + [of_verdict(verdict) for verdict in verdicts]
