# SPDX-License-Identifier: Apache-2.0
# alone: measures CPU, on a core of its own for each server
"""The whole bench in small: bench_smoke.py path/to/kvorum. Every server that can be started here is
filled, measured and verified; figures are not judged. Ends with `N passed, N failed`."""
import json
import os
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SECONDS_MAX = 300
NODES = ['kvorum', 'kvorum-leveldb', 'kvorum-cluster']


def run_bench(build, json_path):
    return subprocess.run(
        [sys.executable, os.path.join(ROOT, 'bench/run.py'), '--quick', '--seconds', '0.1']
        + ['--keys', '5000', '--build', build, '--json', json_path],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SECONDS_MAX,
    )


def main():
    build = os.path.dirname(os.path.abspath(sys.argv[1]))
    with tempfile.TemporaryDirectory(prefix='kvorum-smoke-') as folder:
        path = os.path.join(folder, 'bench.json')
        done = run_bench(build, path)
        measured = {}
        if os.path.exists(path):
            with open(path, encoding='utf-8') as file:
                for sample in json.load(file)['samples']:
                    measured.setdefault(sample['server'], []).append(sample)
    checks = [('exit status 0 and no wrong reply', done.returncode == 0)]
    for server in NODES:
        # SET and GET at three depths, one point of the open loop, the fill.
        complete = len(measured.get(server, [])) == 8
        checks.append(('%s is measured in full' % server, complete))
    for name, good in checks:
        print('%s  %s' % ('ok  ' if good else 'FAIL', name))
    failed = sum(not good for _, good in checks)
    if failed:
        print(done.stdout[-4000:])
    print('%d passed, %d failed' % (len(checks) - failed, failed))
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
