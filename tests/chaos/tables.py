# SPDX-License-Identifier: Apache-2.0
"""The tables at the end of a run: a row for each stretch of time, from the rows of its report."""


def fault_table(rows):
    form = '%-11s %-7s %8s %7s %9s %7s %7s %7s %7s  %s'
    lines = [form % ('phase', '', 'requests', 'errors', 'rate', 'gap s', 'p50 ms', 'p99', 'p99.9',
                     'roots equal')]  # fmt: skip
    for row in rows:
        latency = row['latency_ms']
        converged = row['converged_seconds']
        equal = '' if row['during'] else 'no' if converged is None else '%.1f s' % converged
        lines.append(form % (
            row['phase'] if row['during'] else '', 'fault' if row['during'] else 'healed',
            row['requests'], row['errors'], '%.3f %%' % (100 * row['error_rate']),
            '%.2f' % row['longest_gap_seconds'], '%.1f' % latency['p50'], '%.1f' % latency['p99'],
            '%.1f' % latency['p99.9'], equal,
        ))  # fmt: skip
        lines += details(row)
    return lines


def change_table(rows):
    """The first row is the one before any change."""
    form = '%-16s %9s %8s %8s %6s %7s %7s %7s %9s'
    lines = [form % ('change', 'settled s', 'requests', 'errors', 'gap s', 'p50 ms', 'p99',
                     'p99.9', 'p99 ratio')]  # fmt: skip
    for row in rows:
        latency = row['latency_ms']
        settled = row['settled_seconds']
        lines.append(form % (
            row['kind'], '' if settled is None else '%.1f' % settled, row['requests'],
            row['errors'], '%.2f' % row['longest_gap_seconds'], '%.1f' % latency['p50'],
            '%.1f' % latency['p99'], '%.1f' % latency['p99.9'],
            '%.1f' % (latency['p99'] / (rows[0]['latency_ms']['p99'] or 1)),
        ))  # fmt: skip
        lines += details(row)
    return lines


def details(row):
    return [
        '              %d times %s' % (times, detail[:100])
        for detail, times in row['error_details']
    ]
