# SPDX-License-Identifier: Apache-2.0
"""How long until all primaries hold the same: the roots of each partition (KV.DIGEST) compared over
its primaries."""
import time

from node_processes import RespError

POLL_SECONDS = 0.05


def differing_partitions(primaries, roots):
    """`primaries`: names for each partition; `roots`: name -> {(keyspace, partition): root}. The
    (keyspace, partition) that are not the same at all primaries; absent is empty."""
    keyspaces = {keyspace for mine in roots.values() for keyspace, _ in mine}
    return [
        (keyspace, partition)
        for keyspace in sorted(keyspaces)
        for partition, names in enumerate(primaries)
        if len({roots.get(name, {}).get((keyspace, partition)) for name in names}) > 1
    ]


def look(nodes):
    """The partitions that differ; None where a node did not answer."""
    try:
        roots = {name: nodes.roots(name) for name in nodes.names}
        return differing_partitions(nodes.primaries(), roots)
    except (OSError, RespError):
        return None


def wait_converged(nodes, healed_at, seconds_max):
    """(seconds from `healed_at` until all roots were equal or None, what differed last)."""
    while True:
        differing = look(nodes)
        took = time.monotonic() - healed_at
        if differing == []:
            return took, []
        if took > seconds_max:
            return None, differing
        time.sleep(POLL_SECONDS)
