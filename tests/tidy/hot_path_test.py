#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""cmake/hot_path.ld against the program: names that it has no more are laid nowhere, and that shows
in no other way. hot_path_test.py [path/to/kvorum]; ends with `N passed, N failed`."""
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BINARY = sys.argv[1] if len(sys.argv) > 1 else 'build/release/kvorum'
GONE_MAX = 0.1


def main():
    with open(os.path.join(ROOT, 'cmake', 'hot_path.ld'), encoding='utf-8') as file:
        listed = re.findall(r'\*\(\.text\.(\S+)\)', file.read())
    done = subprocess.run(['nm', BINARY], check=True, capture_output=True, text=True)
    there = {line.split()[-1] for line in done.stdout.splitlines()}
    gone = [name for name in listed if name not in there]
    failed = not listed or len(gone) > GONE_MAX * len(listed)
    if failed:
        print('of %d functions in cmake/hot_path.ld these are gone:' % len(listed))
        print('\n'.join(gone) + '\nwrite it anew: ./x bench hot_path')
    print('%d passed, %d failed' % (not failed, failed))
    return failed


if __name__ == '__main__':
    sys.exit(main())
