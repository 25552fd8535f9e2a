#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks that every rule fires on what it forbids, then that our tree breaks none of them."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import planted  # noqa: E402
import rules  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def main():
    passed = failed = 0
    for name, troubles in planted.outcomes():
        if troubles:
            failed += 1
            print('planted: %s: %s' % (name, troubles))
        else:
            passed += 1

    tree = rules.Tree(ROOT)
    for rule in rules.RULES:
        found = list(rules.violations(rule, tree))
        for line in found:
            print('%s: %s' % (rule.__name__, line))
        if found:
            failed += 1
        else:
            passed += 1
    for path, _, wish in rules.file_length_wishes(tree):
        print('a wish: %s: %s' % (path, wish))
    print('%d passed, %d failed' % (passed, failed))
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
