# SPDX-License-Identifier: Apache-2.0
"""Locks that clang can check (base/thread_safety.h), and what each of them is for."""
import re

FOLDERS = ('base', 'protocol', 'engine', 'cluster', 'server')
WRAPPER = 'base/mutex.h'
OF_THE_LIBRARY = re.compile(
    r'\bstd::((recursive_|shared_)?(timed_)?mutex|(lock_guard|unique_lock|shared_lock|scoped_lock)'
    r'|condition_variable(_any)?)\b'
)
LOCK = re.compile(r'(?m)^ *(?:mutable )?(?:kvorum::)?(?:Mutex|SharedMutex|SpinLock) (\w+);')


def locks(tree):
    """No lock of the standard library, which says nothing of what it guards."""
    for path in tree.cxx(*FOLDERS):
        if path == WRAPPER:
            continue
        for number, line in enumerate(tree.code(path).splitlines(), 1):
            match = OF_THE_LIBRARY.search(line)
            if match:
                yield path, number, '%s: base/mutex.h has what clang checks' % match.group(0)


def guarded(tree):
    """A lock guards something that names it, or a comment on its line says what it orders."""
    for path in tree.cxx(*FOLDERS):
        code, lines = tree.code(path), tree.text(path).splitlines()
        for match in LOCK.finditer(code):
            number = code.count('\n', 0, match.start(1)) + 1
            name = match.group(1)
            named = re.search(
                r'KVORUM_(GUARDED_BY|POINTEE_GUARDED_BY|REQUIRES)\([^)]*\b%s\b' % name, code
            )
            if not named and not re.search(r'// \w', lines[number - 1]):
                yield path, number, 'nothing is KVORUM_GUARDED_BY(%s)' % name


RULES = [locks, guarded]
