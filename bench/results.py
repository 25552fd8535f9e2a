# SPDX-License-Identifier: Apache-2.0
"""Samples of all runs, their medians, the ratios to Redis, and the targets to hold them against."""
import statistics

DEPTHS = (1, 16, 64)
OPERATIONS = ('set', 'get')
FEW_RUNS = 5

# (what, server, operation, depth, compared with, at most so many times its CPU per operation)
CPU_TARGETS = [
    ('one node, memory', 'kvorum', 'set', 1, 'redis', 0.85),
    ('one node, memory', 'kvorum', 'get', 1, 'redis', 0.85),
    ('one node, memory', 'kvorum', 'set', 16, 'redis', 0.6),
    ('one node, memory', 'kvorum', 'get', 16, 'redis', 0.6),
    ('one node, memory', 'kvorum', 'set', 64, 'redis', 0.6),
    ('one node, memory', 'kvorum', 'get', 64, 'redis', 0.6),
    ('one node, leveldb interval', 'kvorum-leveldb', 'set', 1, 'redis-aof', 1.15),
    ('one node, leveldb interval', 'kvorum-leveldb', 'set', 16, 'redis-aof', 0.9),
    ('one node, leveldb interval', 'kvorum-leveldb', 'set', 64, 'redis-aof', 0.8),
    ('one node, memcached text', 'kvorum-text', 'set', 1, 'memcached', 1.0),
    ('one node, memcached text', 'kvorum-text', 'get', 1, 'memcached', 1.0),
    ('three nodes, summed', 'kvorum-cluster', 'set', 16, 'redis', 1.7),
    ('three nodes, summed', 'kvorum-cluster', 'get', 16, 'redis', 1.1),
    ('three nodes, leveldb, summed', 'kvorum-cluster-leveldb', 'set', 1, 'redis', 3.2),
    ('three nodes, leveldb, summed', 'kvorum-cluster-leveldb', 'set', 16, 'redis', 3.4),
    ('three nodes, leveldb, summed', 'kvorum-cluster-leveldb', 'set', 64, 'redis', 4.0),
]
BYTES_TARGET = ('one node, memory', 'kvorum', 'redis', 0.9)


class Results:
    """samples[(kind, server, operation, depth)] = one phase of kvorum-bench per run, in order."""

    def __init__(self):
        self.samples = {}
        self.bytes_per_key = {}
        self.cross_check = []

    def add(self, kind, server, operation, depth, phase):
        self.samples.setdefault((kind, server, operation, depth), []).append(phase)

    def faults(self):
        """Replies that were not right: a figure next to one of these means nothing."""
        found = []
        for (kind, server, operation, depth), phases in self.samples.items():
            for phase in phases:
                bad = {word: phase[word] for word in ('errors', 'misses', 'wrong') if phase[word]}
                if bad:
                    found.append(
                        '%s %s %s depth %s: %s %s'
                        % (
                            server,
                            kind,
                            operation,
                            depth,
                            ', '.join('%d %s' % (count, word) for word, count in bad.items()),
                            phase['first_error'],
                        )
                    )
        return found

    def median(self, key, figure):
        return statistics.median(figure(phase) for phase in self.samples[key])

    def ratio(self, kind, server, baseline, operation, depth, figure=None):
        """Median over the runs of server / baseline, of their CPU or of a figure: the two were
        measured moments apart."""
        pairs = zip(
            self.samples.get((kind, server, operation, depth), []),
            self.samples.get((kind, baseline, operation, depth), []),
        )
        figure = figure or cpu
        ratios = [figure(one) / figure(other) for one, other in pairs if figure(other) > 0]
        return statistics.median(ratios) if ratios else None

    def targets(self):
        rows = []
        for what, server, operation, depth, baseline, limit in CPU_TARGETS:
            text = '%s: CPU per %s at depth %d <= %.4gx %s' % (
                what,
                operation.upper(),
                depth,
                limit,
                baseline,
            )
            measured = self.ratio('closed', server, baseline, operation, depth)
            rows.append(target_row(text, measured, limit))
        what, server, baseline, limit = BYTES_TARGET
        measured = None
        if self.bytes_per_key.get(baseline) and self.bytes_per_key.get(server):
            measured = self.bytes_per_key[server] / self.bytes_per_key[baseline]
        text = '%s: resident bytes per key <= %.2gx %s' % (what, limit, baseline)
        rows.append(target_row(text, measured, limit))
        return rows

    def to_json(self):
        return {
            'bytes_per_key': self.bytes_per_key,
            'samples': [
                {
                    'kind': kind,
                    'server': server,
                    'operation': operation,
                    'depth': depth,
                    'ratio_to_redis': self.ratio(kind, server, 'redis', operation, depth),
                    'median': {
                        name: self.median((kind, server, operation, depth), figure)
                        for name, figure in FIGURES.items()
                    },
                    'runs': phases,
                }
                for (kind, server, operation, depth), phases in self.samples.items()
            ],
            'cross_check': self.cross_check,
            'targets': self.targets(),
            'faults': self.faults(),
        }


def cpu(phase):
    return phase['server_cpu_us_per_operation']


FIGURES = {
    'throughput': lambda phase: phase['throughput'],
    'p50_us': lambda phase: phase['latency_us']['p50'],
    'p99_us': lambda phase: phase['latency_us']['p99'],
    'p99.9_us': lambda phase: phase['latency_us']['p99.9'],
    'server_cpu_us_per_operation': cpu,
    'client_cpu_us_per_operation': lambda phase: phase['client_cpu_us_per_operation'],
}


def target_row(text, measured, limit):
    state = 'not measured' if measured is None else 'met' if measured <= limit else 'missed'
    return {'target': text, 'limit': limit, 'measured': measured, 'state': state}


def ratio_text(ratio):
    return '-' if ratio is None else '%.2fx' % ratio


HEAD = '  %-26s %11s %9s %9s %9s %11s %8s %11s' % (
    '',
    'ops/s',
    'p50 us',
    'p99 us',
    'p99.9 us',
    'server us',
    'x Redis',
    'client us',
)


def table_rows(results, servers, kind, operation, depth):
    for server in servers:
        key = (kind, server.name, operation, depth)
        if key not in results.samples:
            continue
        figures = {name: results.median(key, figure) for name, figure in FIGURES.items()}
        yield '  %-26s %11.0f %9.0f %9.0f %9.0f %11.3f %8s %11.3f' % (
            server.title,
            figures['throughput'],
            figures['p50_us'],
            figures['p99_us'],
            figures['p99.9_us'],
            figures['server_cpu_us_per_operation'],
            ratio_text(results.ratio(kind, server.name, 'redis', operation, depth)),
            figures['client_cpu_us_per_operation'],
        )


def comparison(results, title, limit):
    """A line for each operation and depth of the servers `before` and `now`, and how many of them
    are dearer now than limit times before."""
    lines, dear = [], 0
    for operation in OPERATIONS:
        for depth in DEPTHS:
            ratio = results.ratio('closed', 'now', 'before', operation, depth)
            if ratio is None:
                continue
            before, now = (
                results.median(('closed', name, operation, depth), cpu)
                for name in ('before', 'now')
            )
            dear += ratio > limit
            lines.append(
                '  %-28s %-4s depth %-3d %8.3f -> %8.3f us  %.3fx%s'
                % (title, operation.upper(), depth, before, now, ratio, ' DEARER' * (ratio > limit))
            )
    return lines, dear


def report(results, servers, settings):
    """The whole result as lines of text."""
    lines = [
        '',
        'Resident memory, %d keys of 16 bytes, values of %d bytes'
        % (settings.keys, settings.value_bytes),
    ]
    for server in servers:
        per_key = results.bytes_per_key.get(server.name)
        if per_key is not None:
            redis = results.bytes_per_key.get('redis')
            lines.append(
                '  %-26s %8.1f bytes per key %8s'
                % (server.title, per_key, ratio_text(per_key / redis if redis else None))
            )
    for operation in OPERATIONS:
        for depth in DEPTHS:
            lines += [
                '',
                '%s, depth %d, %d connections' % (operation.upper(), depth, settings.connections),
                HEAD,
            ]
            lines += table_rows(results, servers, 'closed', operation, depth)
    lines += [
        '',
        'GET, open loop at %d per second (latency from the intended time)' % (settings.open_rate),
        HEAD,
    ]
    lines += table_rows(results, servers, 'open', 'get', 1)
    if results.cross_check:
        lines += ['', 'Cross-check with redis-benchmark, depth 16, 50 connections']
        lines += [
            '  %-26s %-4s %11.0f ops/s %11.3f server us'
            % (row['title'], row['operation'].upper(), row['throughput'], cpu(row))
            for row in results.cross_check
        ]
    lines += [
        '',
        'Targets%s'
        % (
            ''
            if settings.runs >= FEW_RUNS
            else ' (fewer than %d runs: an indication only)' % FEW_RUNS
        ),
    ]
    for row in results.targets():
        measured = '-' if row['measured'] is None else '%.2f' % row['measured']
        lines.append('  target %-75s measured %5s  %s' % (row['target'], measured, row['state']))
    lines += [
        '',
        'server us: CPU microseconds of all processes of the server per operation;',
        'x Redis: median over the runs of its server us over that of Redis in the same run',
    ]
    return lines
