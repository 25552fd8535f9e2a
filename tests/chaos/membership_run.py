# SPDX-License-Identifier: Apache-2.0
"""./x chaos membership: the run in which members come and go."""
import random
import time

import judges
from change_promises import Errors, change_promises, excused_lines, p99_line
from change_schedule import ChangeSchedule
from changes import CHANGES
from node_processes import RespError
from payloads import filling_key, filling_of
from promises import of_verdict
from run import Run, copies_of
from workloads import FILLING, WORKLOADS, RegisterWorkload

WRITTEN_AT_ONCE = 200


class MembershipRun(Run):
    workloads = WORKLOADS + (RegisterWorkload,)
    spares = tuple(kind.spare for kind in CHANGES if kind.spare)

    def prepare(self, nodes):
        """Data that takes a while to move."""
        left, end = filling_keys(), time.monotonic() + self.settings.patience
        with nodes.resp(nodes.names[0], 30) as client:
            while left and time.monotonic() < end:
                part, left = left[:WRITTEN_AT_ONCE], left[WRITTEN_AT_ONCE:]
                words = [client.encode('SET', key, filling_of(key)) for key in part]
                client.socket.sendall(b''.join(words))
                replies = [client.read() for _ in part]
                # A busy machine may let some time out.
                left += [key for key, reply in zip(part, replies) if reply != b'OK']
        if left:
            raise RuntimeError('%d keys could not be written' % len(left))

    def plan(self, nodes, crews, network):
        return ChangeSchedule(nodes, crews, self.settings, random.Random(self.settings.seed))

    def verdicts(self, journals, nodes, plan):
        keys = judges.keys_of(journals) + filling_keys() + list(journals['registers']['registers'])
        try:
            copies = copies_of(nodes, keys)
        except (OSError, RespError) as error:
            self.troubles.append('not all copies can be read: %s' % error)
            return []
        merged = nodes.merged(judges.still_held(journals['unique keys'], copies))
        return judges.judge(journals, copies, merged) + [
            judges.judge_registers(journals['registers'], copies, plan.deaths),
            judges.judge_filling(filling_keys(), copies),
        ]

    def promises(self, plan, samples, verdicts):
        errors = Errors(samples, plan, plan.nodes.everyone)
        self.lines = excused_lines(errors)
        rows = [self.row(one, samples) for one in plan.stretches if one.end]
        found = change_promises(plan, errors, rows)
        return found + [of_verdict(verdict) for verdict in verdicts]

    def report(self, plan, samples, verdicts):
        report = super().report(plan, samples, verdicts)
        report['lines'] += self.lines + [p99_line(report['rows'])]
        report['deaths'] = [(one.name, one.begin, one.end) for one in plan.deaths]
        return report


def filling_keys():
    return [filling_key(number) for number in range(FILLING)]
