# SPDX-License-Identifier: Apache-2.0
"""Medians, ratios, targets and faults of the bench, from samples made by hand."""
import os
import sys
import socket
import threading
import types
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [ROOT, os.path.join(ROOT, 'bench')]
sys.dont_write_bytecode = True

from bench import checkpoints  # noqa: E402: found through the path above
from bench import results as figures  # noqa: E402
from bench import servers as fleet  # noqa: E402


def phase(cpu, errors=0, throughput=1000.0):
    return {
        'server_cpu_us_per_operation': cpu,
        'client_cpu_us_per_operation': 0.1,
        'throughput': throughput,
        'latency_us': {'p50': 1.0, 'p99': 2.0, 'p99.9': 3.0},
        'errors': errors,
        'misses': 0,
        'wrong': 0,
        'first_error': '-ERR planted' if errors else '',
    }


def filled(**cpu_by_server):
    results = figures.Results()
    for server, values in cpu_by_server.items():
        for value in values:
            results.add('closed', server.replace('_', '-'), 'set', 16, phase(value))
    return results


def target_of(results, *words):
    found = [row for row in results.targets() if all(word in row['target'] for word in words)]
    assert len(found) == 1, found
    return found[0]


class ResultsTest(unittest.TestCase):
    def test_ratio_is_the_median_of_the_ratios_within_each_run(self):
        # The machine was ten times slower in the second run; the ratio of the medians would be 2.
        results = filled(redis=[1.0, 10.0, 2.0], kvorum=[0.5, 5.0, 4.0])
        self.assertEqual(results.ratio('closed', 'kvorum', 'redis', 'set', 16), 0.5)

    def test_ratio_of_another_figure(self):
        results = figures.Results()
        for name, throughput in (('redis', 100.0), ('kvorum', 130.0)):
            results.add('closed', name, 'set', 1, phase(1.0, throughput=throughput))
        pair = ('closed', 'kvorum', 'redis', 'set', 1)
        self.assertEqual(results.ratio(*pair, figure=figures.FIGURES['throughput']), 1.3)
        self.assertEqual(results.ratio(*pair), 1.0)

    def test_no_ratio_without_the_server_compared_with(self):
        self.assertIsNone(filled(kvorum=[1.0]).ratio('closed', 'kvorum', 'redis', 'set', 16))

    def test_a_target_is_met_at_its_limit_and_missed_above_it(self):
        words = ('one node, memory', 'SET', 'depth 16')
        self.assertEqual(target_of(filled(redis=[10], kvorum=[6]), *words)['state'], 'met')
        self.assertEqual(target_of(filled(redis=[10], kvorum=[6.1]), *words)['state'], 'missed')
        self.assertEqual(target_of(filled(redis=[10]), *words)['state'], 'not measured')

    def test_leveldb_is_held_against_redis_with_its_append_only_file(self):
        results = filled(redis=[1.0], redis_aof=[2.0], kvorum_leveldb=[1.8])
        row = target_of(results, 'one node, leveldb', 'depth 16')
        self.assertEqual((row['measured'], row['state']), (0.9, 'met'))

    def test_bytes_per_key(self):
        results = figures.Results()
        results.bytes_per_key.update(redis=200.0, kvorum=190.0)
        row = target_of(results, 'bytes per key')
        self.assertEqual((row['measured'], row['state']), (0.95, 'missed'))

    def test_an_error_reply_is_a_fault(self):
        results = filled(redis=[1.0])
        self.assertEqual(results.faults(), [])
        results.add('closed', 'redis', 'get', 1, phase(1.0, errors=3))
        self.assertEqual(len(results.faults()), 1)
        self.assertIn('3 errors', results.faults()[0])
        self.assertIn('-ERR planted', results.faults()[0])

    def test_the_table_shows_medians(self):
        class Settings:
            keys, value_bytes, connections, open_rate, runs = 10, 100, 50, 1000, 3

        results = figures.Results()
        for throughput in (111.0, 999.0, 333.0):
            results.add('closed', 'redis', 'set', 16, phase(1.0, throughput=throughput))
        shown = '\n'.join(figures.report(results, fleet.all_servers('.'), Settings))
        self.assertIn(' 333 ', shown)
        self.assertNotIn(' 999 ', shown)
        self.assertIn('fewer than 5 runs', shown)

    def test_a_comparison_counts_what_is_dearer_in_the_median_of_the_runs(self):
        results = filled(before=[1.0, 2.0, 4.0], now=[1.03, 2.06, 3.0])
        lines, dear = figures.comparison(results, 'one node', 1.02)
        self.assertEqual((len(lines), dear), (1, 1))
        self.assertIn('1.030x DEARER', lines[0])
        self.assertEqual(figures.comparison(results, 'one node', 1.04)[1], 0)
        self.assertEqual(figures.comparison(filled(now=[1.0]), 'one node', 1.02), ([], 0))

    def test_every_target_names_servers_that_exist(self):
        names = {server.name for server in fleet.all_servers('.')}
        for _, server, operation, depth, baseline, _ in figures.CPU_TARGETS:
            self.assertIn(server, names)
            self.assertIn(baseline, names)
            self.assertIn(operation, figures.OPERATIONS)
            self.assertIn(depth, figures.DEPTHS)


class DiskTest(unittest.TestCase):
    def test_bytes_that_were_deleted_before_they_were_written_do_not_count(self):
        text = 'rchar: 9\nwrite_bytes: 12288\ncancelled_write_bytes: 4096\n'
        self.assertEqual(fleet.written_bytes(text), 8192)

    def test_info_says_in_what_share_of_a_phase_a_checkpoint_runs(self):
        asked = threading.Event()
        says = [checkpoints.RESTS, checkpoints.RUNS, checkpoints.RUNS, checkpoints.RESTS]

        def answer(listener):
            for said in says:
                with listener.accept()[0] as client:
                    client.recv(100)
                    client.sendall(b'# Persistence\r' + said)
            asked.set()

        with socket.create_server(('127.0.0.1', 0)) as listener:
            threading.Thread(target=answer, args=(listener,), daemon=True).start()
            server = types.SimpleNamespace(ports=[listener.getsockname()[1]])
            with checkpoints.Looks(server) as looks:
                self.assertTrue(asked.wait(30))
        self.assertEqual(looks.share(), 0.5)

    def test_a_checkpoint_costs_the_median_of_the_ratios_within_each_run(self):
        def sample(quiet, busy):
            phases = {'quiet': quiet, 'busy': busy}
            return {name: {'latency_us': {'p99.9': value}} for name, value in phases.items()}

        samples = [sample(100.0, 120.0), sample(1000.0, 1100.0), sample(10.0, 90.0)]
        self.assertEqual(checkpoints.ratio_of(samples, 'p99.9'), 1.2)


if __name__ == '__main__':
    outcome = unittest.main(exit=False).result
    bad = len(outcome.failures) + len(outcome.errors)
    print('%d passed, %d failed' % (outcome.testsRun - bad, bad))
    sys.exit(1 if bad else 0)
