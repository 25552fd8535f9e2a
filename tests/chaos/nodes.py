# SPDX-License-Identifier: Apache-2.0
"""The nodes of a chaos run as processes, and what they say of themselves: who owns what, their own
copies, the roots of their partitions."""
import os
import re
import signal

from node_processes import Cluster, RespError

PASSWORD = 'chaos'
REPLICAS, WRITTEN = 3, 2  # n and w at first
SHAPE = 'name: chaos\n  secret: chaos'
ANSWER_SECONDS = 5
KEYS_AT_ONCE = 500


class Nodes(Cluster):
    """`names` are the members as of now, first the founders. `spares` have addresses too, and are
    started when they are to join. `leaving` hand over what they hold."""

    password = PASSWORD

    def __init__(self, binary, names, network, timing, engine='leveldb', spares=(), limits=''):
        self.timing = timing
        self.replicas, self.weights = REPLICAS, {}
        self.fixed = 'password: %s\nreactors: 2\n' % PASSWORD
        self.fixed += 'engine: {type: %s, sync: interval}\nlimits: {%s}\n' % (engine, limits)
        super().__init__(binary, names, self.fixed + policies(REPLICAS, WRITTEN), SHAPE, network)
        self.founders, self.everyone = tuple(names), tuple(names) + tuple(spares)
        self.reserve(*spares)
        self.running, self.leaving = set(), []

    def member_fields(self, name):
        return ['weight: %d' % self.weights[name]] if name in self.weights else []

    def edited_file(self, replicas, written):
        """The text of a file of the members as of now with other policies."""
        path = self.write_config('edited.yaml', self.fixed + policies(replicas, written), SHAPE)
        with open(path, encoding='utf-8') as file:
            return file.read()

    def start(self, *names, config=None, options=()):
        super().start(*names, config=config, options=options)
        self.running |= set(names or self.names)
        return self

    def restart(self, name):
        if name in self.founders:
            self.start(name)
        else:
            self.start_added(name)

    def depart(self, name):
        self.names.remove(name)
        self.weights.pop(name, None)

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
        asked = next(name for name in sorted(self.names) if name in self.running)
        _, ring = self.asked(asked, 'ring')
        owners = ring['owners']
        return [distinct_owners(owners, at, self.replicas) for at in range(len(owners))]

    def moves(self, name):
        """The partitions that move, as a node knows it: rows of /api/v1/transfers."""
        return self.asked(name, 'transfers')[1]['transfers']

    def keys_held(self, name):
        """Copies of live keys, owned or not."""
        return sum(self.asked(name, 'status')[1]['keys'])

    def keys_alive(self):
        """In the whole cluster."""
        with self.resp(self.names[0]) as client:
            return client('DBSIZE')

    def cluster_status(self, name):
        """KV.CLUSTER STATUS without what is nought or empty."""
        with self.resp(name) as client:
            lines = client('KV.CLUSTER', 'STATUS').decode().split()
        return ' '.join(line for line in lines if not line.endswith((':', ':0')))

    def errors_logged(self):
        """name -> lines of the log that tell of an error."""
        found = {name: re.findall(r'.* error .*', self.log(name)) for name in self.everyone
                 if os.path.exists(self.log_path(name))}  # fmt: skip
        return {name: lines for name, lines in found.items() if lines}

    def is_ready(self, name):
        try:
            return self.asked(name, 'status')[1]['ready']
        except OSError:
            return False

    def counts(self):
        """What the members have counted since they started: where keys are missed."""
        return {
            name: {**status['counters'], **status['reaping']}
            for name in self.names
            for _, status in (self.asked(name, 'status'),)
        }

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
            replies = {key: client('KV.GET', key, 'R', self.replicas) for key in keys}
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


def policies(replicas, written):
    """Of the file; reads and writes meet."""
    return 'keyspaces:\n  default: {n: %d, r: 2, w: %d, conflicts: siblings}' % (replicas, written)


def distinct_owners(owners, partition, count):
    found = []
    for step in range(len(owners)):
        owner = owners[(partition + step) % len(owners)]
        if owner not in found:
            found.append(owner)
        if len(found) == count:
            break
    return found


def values_of(name, key, reply):
    if isinstance(reply, RespError):
        if str(reply).startswith('NOTOWNER'):
            return None
        raise RespError('KV.LOCAL %s at %s: %s' % (key, name, reply))
    return reply[1]
