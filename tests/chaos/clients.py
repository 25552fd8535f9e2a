# SPDX-License-Identifier: Apache-2.0
"""Stock clients (redis-py, pymemcache) that know the addresses of all nodes: one whose node is gone
goes to the next. Each request is tried once and noted as a sample; a request that was sent and not
answered is an error. Connecting again costs no error, only time without a success."""
import select
import time

import pymemcache.client.base as memcached
import pymemcache.exceptions as memcached_errors
import redis

from samples import Outcome, Sample, State, sends_elsewhere, state_of

CONNECT_SECONDS = 0.5
ANSWER_SECONDS = 1.5  # above the deadline of a request in the server (1 s)
ALL_REFUSED_PAUSE_SECONDS = 0.01


class FailoverClient:
    """`addresses`: (host, port) of all nodes; `home`: the index of the one it prefers."""

    def __init__(self, title, addresses, home, password):
        self.title, self.addresses, self.home = title, addresses, home
        self.password = password
        self.at = home
        self.samples = []
        self.open()

    # What the kinds of clients differ in: open() makes ready to connect to addresses[at], and both
    # others raise OSError or an error of the client's library.
    def open(self):
        raise NotImplementedError

    def close(self):
        raise NotImplementedError

    def connect(self):
        raise NotImplementedError

    def perform(self, words):
        raise NotImplementedError

    def go_to(self, at):
        if at != self.at:
            self.close()
            self.at = at
            self.open()

    def go_home(self):
        self.go_to(self.home)

    def find_node(self):
        """True once connected; False where no node takes connections."""
        for _ in self.addresses:
            try:
                self.connect()
                return True
            except (OSError, redis.RedisError, memcached_errors.MemcacheError):
                self.go_to((self.at + 1) % len(self.addresses))
        time.sleep(ALL_REFUSED_PAUSE_SECONDS)
        return False

    def request(self, *words):
        """An Outcome; None where no node could be reached, and nothing was sent."""
        if not self.find_node():
            return None
        began = time.monotonic()
        asked, reply = self.at, None
        try:
            state, reply = State.ANSWERED, self.perform(words)
            detail = str(reply) if isinstance(reply, (int, bool)) else ''
        except (redis.ConnectionError, redis.TimeoutError, OSError) as lost:
            state, detail = State.UNCERTAIN, type(lost).__name__
            self.go_to((self.at + 1) % len(self.addresses))
        except (redis.ResponseError, memcached_errors.MemcacheError) as error:
            detail = text_of(error)
            state = state_of(detail)
            if sends_elsewhere(detail):
                self.go_to((self.at + 1) % len(self.addresses))
        self.samples.append(
            Sample(self.title, began, time.monotonic(), state, words[:2], asked, detail)
        )
        return Outcome(state, reply)


def text_of(error):
    said = error.args[0] if error.args else ''
    return said.decode() if isinstance(said, bytes) else str(said)


class RedisClient(FailoverClient):
    port_kind = 'redis'

    def open(self):
        host, port = self.addresses[self.at]
        self.redis = redis.Redis(
            host,
            port,
            password=self.password,
            socket_timeout=ANSWER_SECONDS,
            socket_connect_timeout=CONNECT_SECONDS,
            max_connections=1,
        )

    def close(self):
        self.redis.connection_pool.disconnect()

    def connect(self):
        # Takes a connection as a command would, which connects again where the node closed it.
        pool = self.redis.connection_pool
        pool.release(pool.get_connection('PING'))

    def perform(self, words):
        return self.redis.execute_command(*words)


class MemcachedClient(FailoverClient):
    """Takes ('SET', key, value) only."""

    port_kind = 'memcached'

    def open(self):
        self.connection = memcached.Client(
            self.addresses[self.at], connect_timeout=CONNECT_SECONDS, timeout=ANSWER_SECONDS
        )

    def close(self):
        self.connection.close()

    def connect(self):
        sock = self.connection.sock
        if sock is not None and select.select([sock], [], [], 0)[0]:
            self.connection.close()  # ended by the node: nothing else is sent unasked
        if self.connection.sock is None:
            self.connection.set('login', 'default ' + self.password, noreply=False)

    def perform(self, words):
        _, key, value = words
        if not self.connection.set(key, value, noreply=False):
            raise memcached_errors.MemcacheServerError('NOT_STORED')
        return True
