# SPDX-License-Identifier: Apache-2.0
"""What the clients saw of a stretch of time: requests, errors, the longest time that a client had
to do without a success, latencies. Pure; times in seconds."""
import collections
import math

from samples import is_error

DETAILS_MAX, HISTORY_MAX = 4, 20


def between(samples, begin, end):
    return [sample for sample in samples if begin <= sample.began < end]


def error_rate(samples):
    return sum(map(is_error, samples)) / len(samples) if samples else 0.0


def percentile(ordered, share):
    """By nearest rank; 0 of nothing."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else 0.0


def longest_gap(samples, begin, end):
    """(seconds, client) of the longest time in which a client had no success; the two ends of the
    stretch count as successes."""
    successes = collections.defaultdict(list)
    for sample in samples:
        mine = successes[sample.client]
        if not is_error(sample) and begin <= sample.ended <= end:
            mine.append(sample.ended)
    gaps = [(end - begin, '')] if not successes else []
    for client, times in successes.items():
        stops = [begin] + sorted(times) + [end]
        gaps.append((max(later - one for one, later in zip(stops, stops[1:])), client))
    return max(gaps)


def most_frequent(details):
    """(detail, times), the most frequent ones first."""
    times = collections.Counter(details)
    return sorted(times.items(), key=lambda pair: -pair[1])[:DETAILS_MAX]


def history(samples, key):
    """A line for each of the last requests of the key, in order."""
    mine = sorted((one for one in samples if one.words[1] == key), key=lambda one: one.began)
    return [
        '%.3f-%.3f  %s %s by %s at node %d: %s %s'
        % (one.began, one.ended, *one.words, one.client, one.node, one.state.name, one.detail)
        for one in mine[-HISTORY_MAX:]
    ]


def summary(samples, begin, end):
    """What a row of the table shows."""
    mine = between(samples, begin, end)
    latencies = sorted(one.ended - one.began for one in mine if not is_error(one))
    gap, who = longest_gap(samples, begin, end)
    return {
        'seconds': end - begin,
        'requests': len(mine),
        'errors': sum(map(is_error, mine)),
        'error_rate': error_rate(mine),
        'longest_gap_seconds': gap,
        'longest_gap_client': who,
        'latency_ms': {
            name: 1000 * percentile(latencies, share)
            for name, share in (('p50', 0.5), ('p99', 0.99), ('p99.9', 0.999))
        },
        'error_details': most_frequent(
            '%s at node %d: %s' % (one.words[0], one.node, one.detail)
            for one in mine
            if is_error(one)
        ),
    }
