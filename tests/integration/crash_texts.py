# SPDX-License-Identifier: Apache-2.0
"""Crash reports (server/process/crash_report.h) with the names of functions in place of offsets."""
import re
import subprocess

REPORT = re.compile(r'^kvorum \S+, process \d+, crashed: [^\n]*\ncrash offsets: ([^\n]*)', re.M)
SENT = ', sent by process '


def functions_at(binary, offsets):
    """One line for each offset; nothing where there is no addr2line."""
    command = ['addr2line', '-Cfpse', binary] + offsets
    try:
        return subprocess.run(
            command, capture_output=True, text=True, timeout=60, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ''


def crash_texts(binary, log):
    """Of crashes that nobody asked for by a signal."""
    found = []
    for report in REPORT.finditer(log):
        if SENT in report[0]:
            continue
        lines = report[0].split('\n')[0] + '\n' + functions_at(binary, report[1].split())
        found.append(lines + 'before it:\n' + log[: report.start()][-2000:])
    return found
