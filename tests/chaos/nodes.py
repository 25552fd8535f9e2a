# SPDX-License-Identifier: Apache-2.0
"""The nodes of a chaos run as processes, and what they say of themselves: who owns what, their own
copies, the roots of their partitions."""
import json
import signal
import urllib.request

from node_processes import Cluster, RespError

PASSWORD = 'chaos'
REPLICAS = 3
ANSWER_SECONDS = 5
KEYS_AT_ONCE = 500


class Nodes(Cluster):
    def __init__(self, binary, names, network, timing):
        self.timing = timing
        extra = (
            'password: %s\nreactors: 2\nengine: {type: leveldb, sync: interval}\n'
            'keyspaces:\n  default: {n: %d, r: 2, w: 2, conflicts: siblings}' % (PASSWORD, REPLICAS)
        )
        super().__init__(binary, names, extra, 'name: chaos\n  secret: chaos', network)
        self.running = set()

    def start(self, *names, config=None, options=()):
        super().start(*names, config=config, options=options)
        self.running |= set(names or self.names)
        return self

    def kill(self, names):
        self.running -= set(names)
        for name in names:
            self.send(name, signal.SIGKILL)
        for name in names:
            self.processes[name].wait()

    def resp(self, name, timeout=ANSWER_SECONDS):
        client = super().resp(name, timeout)
        client('AUTH', PASSWORD)
        return client

    def ended_by_themselves(self):
        """name -> exit status, of nodes that nobody killed."""
        return {
            name: self.processes[name].returncode
            for name in sorted(self.running)
            if self.processes[name].poll() is not None
        }

    def end_all(self):
        """SIGTERM; the exit statuses, None where a node does not end in time."""
        for name in self.running:
            self.send(name, signal.SIGCONT)
            self.send(name, signal.SIGTERM)
        return {name: self.end(name, 0) for name in sorted(self.running)}

    # --- what the nodes know ---------------------------------------------------------------------

    def primaries(self):
        """For each partition the names of its primaries."""
        asked = next(iter(sorted(self.running)))
        url = 'http://%s/api/v1/ring' % self.address(asked, 'admin')
        with urllib.request.urlopen(url, timeout=ANSWER_SECONDS) as answer:
            owners = json.load(answer)['owners']
        return [distinct_owners(owners, partition) for partition in range(len(owners))]

    def roots(self, name):
        """(keyspace, partition) -> root."""
        with self.resp(name) as client:
            rows = client('KV.DIGEST')
        if not isinstance(rows, list):
            raise RespError('KV.DIGEST at %s: %s' % (name, rows))
        return {(keyspace, partition): root for keyspace, partition, root in rows}

    def merged(self, keys):
        """For each key the values that a read of all replicas shows."""
        with self.resp(self.names[0]) as client:
            replies = {key: client('KV.GET', key, 'R', REPLICAS) for key in keys}
        return {key: reply[1] for key, reply in replies.items() if isinstance(reply, list)}

    def inspect(self, name, key):
        """What each replica holds of the key, as the node asked sees it."""
        with self.resp(name) as client:
            return client('KV.INSPECT', key)

    def local_copies(self, name, keys):
        """For each key the list of the values of the node's own copy; None where it is no
        primary."""
        found = {}
        with self.resp(name, 30) as client:
            for at in range(0, len(keys), KEYS_AT_ONCE):
                part = keys[at : at + KEYS_AT_ONCE]
                client.socket.sendall(b''.join(client.encode('KV.LOCAL', key) for key in part))
                for key in part:
                    found[key] = values_of(name, key, client.read())
        return found


def distinct_owners(owners, partition):
    found = []
    for step in range(len(owners)):
        owner = owners[(partition + step) % len(owners)]
        if owner not in found:
            found.append(owner)
        if len(found) == REPLICAS:
            break
    return found


def values_of(name, key, reply):
    if isinstance(reply, RespError):
        if str(reply).startswith('NOTOWNER'):
            return None
        raise RespError('KV.LOCAL %s at %s: %s' % (key, name, reply))
    return reply[1]
