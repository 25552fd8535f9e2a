# SPDX-License-Identifier: Apache-2.0
"""The clients of each workload in a process of their own, so that they do not wait for one another
nor for us: started before the first fault, parked while copies are compared, asked for journal and
samples at the end."""
import ctypes
import faulthandler
import multiprocessing
import os
import random
import signal
import threading
import time
import traceback

from node_processes import until

PR_SET_PDEATHSIG = 1
PARK_SECONDS = 10


class Control:
    """Shared by all processes: whether clients work, and how many do."""

    def __init__(self, context):
        self.go, self.ending = context.Event(), context.Event()
        self.working = context.Value('i', 0)

    def enter(self):
        with self.working.get_lock():
            self.working.value += 1

    def leave(self):
        with self.working.get_lock():
            self.working.value -= 1


class Crews:
    """`places`: kind -> (host, port) of every node; `think_seconds`: the mean pause of a client
    between two steps."""

    def __init__(self, workloads, places, settings):
        context = multiprocessing.get_context('fork')
        self.control = Control(context)
        self.members = []
        first_home = 0
        for kind in workloads:
            ours, theirs = context.Pipe()
            arguments = (kind, places, settings, first_home, self.control, theirs)
            process = context.Process(target=work, args=arguments, daemon=True)
            process.start()
            theirs.close()
            self.members.append((kind.name, process, ours))
            first_home += len(kind.kinds_of_clients)

    def resume(self):
        self.control.go.set()

    def park(self):
        """Returns once no request is on its way."""
        self.control.go.clear()
        if not until(lambda: self.control.working.value == 0, PARK_SECONDS):
            for _, process, _ in self.members:
                os.kill(process.pid, signal.SIGUSR1)
            time.sleep(0.5)
            raise RuntimeError('clients do not come to rest: ' + str(self.control.working.value))

    def finish(self):
        """workload name -> (journal, samples)."""
        self.control.ending.set()
        self.control.go.set()
        found = {}
        for name, process, pipe in self.members:
            found[name] = pipe.recv()
            process.join()
        return found

    def close(self):
        for _, process, _ in self.members:
            if process.is_alive():
                process.kill()
            process.join()


def work(kind, places, settings, first_home, control, pipe):
    """A process: the clients of one workload."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    faulthandler.register(signal.SIGUSR1, all_threads=True)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() == 1:
        return
    workload, clients, threads = kind(), [], []
    for number, kind_of_client in enumerate(workload.kinds_of_clients):
        addresses = places[kind_of_client.port_kind]
        home = (first_home + number) % len(addresses)
        title = '%s/%d' % (workload.name, number)
        client = kind_of_client(title, addresses, home, settings['password'])
        rng = random.Random('%s %s' % (settings['seed'], title))
        pace = (settings['think_seconds'], rng, control)
        threads.append(threading.Thread(target=use, args=(workload, client, pace)))
        clients.append(client)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    samples = [sample for client in clients for sample in client.samples]
    pipe.send((workload.journal(), samples))


def use(workload, client, pace):
    think_seconds, rng, control = pace
    while not control.ending.is_set():
        control.go.wait()
        control.enter()
        try:
            client.go_home()
            while control.go.is_set() and not control.ending.is_set():
                workload.step(client, rng)
                time.sleep(rng.uniform(0, 2 * think_seconds))
        except Exception:  # pylint: disable=broad-except
            traceback.print_exc()
            os._exit(1)  # a journal with holes would prove nothing
        finally:
            control.leave()
