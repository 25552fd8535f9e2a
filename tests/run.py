#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs every suite of the project and ends with one plain line: N passed, N failed.

Suites, in this order: tidy (tests/tidy/*_test.py), unit (the programs that CMake registered with
add_test), integration (tests/integration/*.py that can be run). Two run at a time; those that
measure time, or want all cores, run alone behind the others: a Python program says so by a line
`# alone: why`, one of CMake's by its property RUN_SERIAL. A suite is a program; it counts by its
GoogleTest report, or else by its own last line `N passed, N failed`. A crash, a timeout, a status
other than 0 and a suite that ran nothing are failures, whatever was counted before; one that closes
with `0 passed, 0 failed, N skipped` lacks something on this machine, says what, and counts for
nothing.
"""
import argparse
import concurrent.futures
import json
import os
import queue
import re
import signal
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CLOSING_LINE = re.compile(
    r'^(?:\w+: )?(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$', re.MULTILINE
)
ALONE_MARK = re.compile(r'^# alone: \S', re.MULTILINE)
SHOWN_LINES_MAX = 80


class Suite:
    def __init__(self, group, name, command, alone=False):
        self.group, self.name, self.command, self.alone = group, name, command, alone
        self.is_gtest = group == 'unit' and os.path.basename(command[0]).endswith('_test')
        self.gtest_filter = ''


def python_suites(group, folder, binary):
    """Programs of a folder: *_test.py, and whatever else has a main part or a first
    line that names its interpreter; the rest are modules."""
    suites = []
    path = os.path.join(ROOT, folder)
    for file in sorted(os.listdir(path) if os.path.isdir(path) else []):
        full = os.path.join(path, file)
        if not file.endswith('.py'):
            continue
        with open(full, encoding='utf-8') as source:
            text = source.read()
        if file.endswith('_test.py') or '__main__' in text or text.startswith('#!'):
            alone = ALONE_MARK.search(text) is not None
            suites.append(Suite(group, file[:-3], [sys.executable, full, binary], alone))
    return suites


def runs_alone(test):
    """Of CTest's description: its property RUN_SERIAL."""
    return any(
        one['name'] == 'RUN_SERIAL' and one['value'] for one in test.get('properties', [])
    )


def registered_suites(build):
    listed = subprocess.run(
        ['ctest', '--test-dir', build, '--show-only=json-v1'],
        capture_output=True,
        text=True,
        check=True,
    )
    # A program that was not built has no command here; it fails when it cannot be started.
    return [
        Suite(
            'unit',
            test['name'],
            test.get('command') or [os.path.join(build, test['name'] + '_test')],
            runs_alone(test),
        )
        for test in json.loads(listed.stdout)['tests']
    ]


def choose(suites, words):
    """`word` picks suites by name or group, `word:filter` gives GoogleTest a filter too."""
    if not words:
        return suites
    chosen = []
    for word in words:
        name, _, gtest_filter = word.partition(':')
        for suite in suites:
            if (name in suite.name or name == suite.group) and suite not in chosen:
                suite.gtest_filter = gtest_filter
                chosen.append(suite)
    return chosen


def run_program(command, log_path, seconds_max, environment):
    """The exit status, negative for a signal as subprocess has it; None after a timeout."""
    with open(log_path, 'wb') as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            cwd=ROOT,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
        try:
            return process.wait(seconds_max)
        except subprocess.TimeoutExpired:
            return None
        finally:
            # Whatever a suite started ends with it.
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                pass
            process.wait()


def count_gtest(report_path, log):
    try:
        with open(report_path, encoding='utf-8') as file:
            report = json.load(file)
    except (OSError, ValueError):  # it ended before it could report
        return log.count('[       OK ]'), 0
    ran = sum(
        1
        for suite in report['testsuites']
        for test in suite['testsuite']
        if test['result'] == 'COMPLETED'
    )
    failed = report['failures'] + report['errors']
    return ran - failed, failed


def count_plain(log):
    """(passed, failed, skipped) by the last closing line."""
    counts = CLOSING_LINE.findall(log)
    return tuple(int(count or 0) for count in counts[-1]) if counts else (0, 0, 0)


def run_suite(suite, arguments, environment):
    """Returns (passed, failed, what went wrong besides counted failures, or a notice, or '')."""
    logs = os.path.join(arguments.build, 'test-logs')
    os.makedirs(logs, exist_ok=True)
    log_path = os.path.join(logs, suite.name + '.log')
    report_path = os.path.join(logs, suite.name + '.json')
    command = list(suite.command)
    if suite.is_gtest:
        if os.path.exists(report_path):
            os.remove(report_path)
        command.append('--gtest_output=json:' + report_path)
        if suite.gtest_filter:
            command.append('--gtest_filter=' + suite.gtest_filter)
    try:
        status = run_program(command, log_path, arguments.timeout, environment)
    except OSError as error:
        with open(log_path, 'w', encoding='utf-8') as log:
            log.write(str(error) + '\n')
        return 0, 1, 'could not start: %s' % error
    with open(log_path, encoding='utf-8', errors='replace') as file:
        log = file.read()

    skipped = 0
    if suite.is_gtest:
        passed, failed = count_gtest(report_path, log)
    else:
        passed, failed, skipped = count_plain(log)
    trouble = ''
    if status is None:
        trouble = 'no end after %d s' % arguments.timeout
    elif status < 0:
        trouble = 'ended by ' + signal.Signals(-status).name
    elif status != 0 and failed == 0:
        trouble = 'ended with status %d' % status
    elif passed + failed == 0 and skipped:
        return 0, 0, log.splitlines()[0]
    elif passed + failed == 0:
        trouble = 'ran no test'
    return passed, failed + (1 if trouble else 0), trouble


def report(suite, outcome, seconds, arguments):
    passed, failed, trouble = outcome
    print(
        '%-12s %-28s %5d passed, %d failed  %6.1f s%s'
        % (suite.group, suite.name, passed, failed, seconds, '  ' + trouble if trouble else ''),
        flush=True,
    )
    if failed:
        path = os.path.join(arguments.build, 'test-logs', suite.name + '.log')
        with open(path, encoding='utf-8', errors='replace') as log:
            lines = log.read().splitlines()
        for line in lines[-SHOWN_LINES_MAX:]:
            print('    | ' + line)
        print('    all of it: ' + os.path.relpath(path, ROOT), flush=True)


class Runner:
    """Runs suites and reports each when it ends. A suite that shares the machine is told its place
    (KVORUM_TEST_PLACE), from which it takes other ports than the one beside it."""

    def __init__(self, arguments, environment):
        self.arguments, self.environment = arguments, environment
        self.passed = self.failed = 0
        self.places = queue.SimpleQueue()
        for place in range(arguments.jobs):
            self.places.put(place)

    def play(self, suite):
        place = self.places.get()
        try:
            began = time.monotonic()
            environment = dict(self.environment, KVORUM_TEST_PLACE=str(place))
            outcome = run_suite(suite, self.arguments, environment)
            return suite, outcome, time.monotonic() - began
        finally:
            self.places.put(place)

    def note(self, suite, outcome, seconds):
        report(suite, outcome, seconds, self.arguments)
        self.passed += outcome[0]
        self.failed += outcome[1]

    def run(self, suites):
        sharing = [suite for suite in suites if not suite.alone]
        with concurrent.futures.ThreadPoolExecutor(self.arguments.jobs) as pool:
            for done in concurrent.futures.as_completed(pool.submit(self.play, s) for s in sharing):
                self.note(*done.result())
        for suite in suites:
            if suite.alone:
                self.note(*self.play(suite))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--build', default=os.path.join(ROOT, 'build', 'release'))
    parser.add_argument('--timeout', type=int, default=600, help='seconds for one suite')
    parser.add_argument('--jobs', type=int, default=2, help='suites at a time')
    parser.add_argument('suites', nargs='*', help='names or parts of names; all when left out')
    arguments = parser.parse_args()
    arguments.build = os.path.abspath(arguments.build)
    arguments.jobs = max(arguments.jobs, 1)
    binary = os.path.join(arguments.build, 'kvorum')
    environment = dict(
        os.environ, KVORUM_BINARY=binary, KVORUM_BUILD=arguments.build, PYTHONDONTWRITEBYTECODE='1'
    )

    suites = (
        python_suites('tidy', 'tests/tidy', binary)
        + registered_suites(arguments.build)
        + python_suites('integration', 'tests/integration', binary)
    )
    chosen = choose(suites, arguments.suites)
    if not chosen:
        print('no suite is named so; there are: ' + ' '.join(suite.name for suite in suites))
    runner = Runner(arguments, environment)
    runner.run(chosen)
    print('%d passed, %d failed' % (runner.passed, runner.failed))
    return 1 if runner.failed or not runner.passed else 0


if __name__ == '__main__':
    sys.exit(main())
