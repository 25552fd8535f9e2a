# SPDX-License-Identifier: Apache-2.0
"""Where the nodes live: on loopback ports, or each in a network namespace of its own.

    this process and its clients: the switch, 10.77.0.254 on a bridge
         |            |            |
      veth pa      veth pb      veth pc  ...
         |            |            |
      node a       node b       node c          10.77.0.1, .2, .3

A node is unplugged by the end of its cable at the switch. One direction of a link is cut by a
false, permanent hardware address for the receiver: what is sent there is lost in silence.

A namespace lives as long as the process that holds it, and that one ends with us: nothing has to be
removed, however we end."""
import ctypes
import os
import shutil
import subprocess

from node_processes import Loopback, until

CLONE_NEWNET = 0x40000000
NOBODY = '02:00:00:00:de:ad'  # a hardware address that no node has
SUBNET = '10.77.0.'
# Ends with us, gets no Ctrl-C of ours, keeps its process id.
FOLLOWING = ['setpriv', '--pdeathsig', 'KILL', '--']


class LoopbackNetwork(Loopback):
    """Nothing can be cut here."""

    title = 'loopback ports'
    can_cut = False

    def __init__(self, names):
        del names

    def launcher(self, _name):
        return list(FOLLOWING)

    def heal(self):
        pass

    def close(self):
        pass


class NamespaceNetwork:
    title = 'network namespaces'
    can_cut = True

    def __init__(self, names):
        self.names = list(names)
        self.holders, self.lost, self.unplugged = {}, set(), set()
        enter_new_namespace()
        run_ip(
            'link set lo up',
            'link add switch type bridge',
            'link set switch up',
            'addr add %s254/24 dev switch' % SUBNET,
        )
        for name in self.names:
            self.add_node(name)

    def add_node(self, name):
        holder = subprocess.Popen(
            ['unshare', '--net'] + FOLLOWING + ['sleep', 'infinity'], start_new_session=True
        )
        self.holders[name] = holder
        if not until(lambda: namespace_of(holder.pid) != namespace_of(os.getpid()), 10):
            raise RuntimeError('no network namespace for node ' + name)
        run_ip(
            'link add p%s type veth peer name wire netns %d' % (name, holder.pid),
            'link set p%s master switch' % name,
            'link set p%s up' % name,
        )
        self.inside(
            name,
            'link set lo up',
            'addr add %s/24 dev wire' % self.host(name),
            'link set wire up',
        )

    def inside(self, name, *commands):
        run_ip(*commands, within=self.holders[name].pid)

    def host(self, name):
        return SUBNET + str(1 + self.names.index(name))

    def launcher(self, name):
        return ['nsenter', '--net=/proc/%d/ns/net' % self.holders[name].pid] + FOLLOWING

    def cut(self, pairs):
        """Whatever the first of a pair sends to the second is lost from now on."""
        for sender in self.names:
            lost = [to for (one, to) in pairs if one == sender]
            form = 'neigh replace %s lladdr %s dev wire nud permanent'
            if lost:
                self.inside(sender, *[form % (self.host(to), NOBODY) for to in lost])
        self.lost |= set(pairs)

    def unplug(self, name):
        run_ip('link set p%s down' % name)
        self.unplugged.add(name)

    def heal(self):
        for sender, to in sorted(self.lost):
            self.inside(sender, 'neigh del %s dev wire' % self.host(to))
        for name in sorted(self.unplugged):
            run_ip('link set p%s up' % name)
        self.lost, self.unplugged = set(), set()

    def close(self):
        for holder in self.holders.values():
            holder.kill()
            holder.wait()


def run_ip(*commands, within=None):
    """`ip` with each of the commands, in our namespace or in that of a process."""
    program = [shutil.which('ip') or '/usr/sbin/ip', '-batch', '-']
    if within is not None:
        program = ['nsenter', '--net=/proc/%d/ns/net' % within] + program
    done = subprocess.run(
        program, input='\n'.join(commands) + '\n', capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise RuntimeError('ip: %s (%s)' % (done.stderr.strip(), '; '.join(commands)))


def enter_new_namespace():
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def namespace_of(pid):
    return os.readlink('/proc/%d/ns/net' % pid)


def network_for(names, kind):
    """`kind`: namespaces, loopback, or auto for the first that this machine allows."""
    if kind == 'namespaces' or (kind == 'auto' and os.geteuid() == 0 and shutil.which('ip')):
        try:
            return NamespaceNetwork(names)
        except (OSError, RuntimeError) as trouble:
            if kind == 'namespaces':
                raise
            print('no network namespaces here (%s): loopback ports' % trouble)
    return LoopbackNetwork(names)
