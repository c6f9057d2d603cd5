"""An operating system's scheduler, simulated: methods, attributes, queues."""


class Packet:
    def __init__(self, kind, sender):
        self.kind = kind
        self.sender = sender
        self.value = 0
        self.data = [0] * 4


class Task:
    def __init__(self, system, name, priority):
        self.system = system
        self.name = name
        self.priority = priority
        self.queue = []
        self.held = False
        self.runs = 0

    def ready(self):
        return not self.held and bool(self.queue)

    def receive(self, packet):
        self.queue.append(packet)
        self.system.queued += 1

    def run(self):
        self.runs += 1
        self.step(self.queue.pop(0))

    def step(self, packet):
        raise NotImplementedError


class Idle(Task):
    def __init__(self, system, name, count):
        super().__init__(system, name, 0)
        self.seed = 1
        self.count = count

    def ready(self):
        return self.count > 0

    def run(self):
        self.runs += 1
        self.count -= 1
        if self.seed & 1:
            self.seed = (self.seed >> 1) ^ 0xD008
            self.system.release("device b")
        else:
            self.seed >>= 1
            self.system.release("device a")


class Device(Task):
    def step(self, packet):
        self.held = True
        self.system.held += 1
        packet.sender, target = self.name, packet.sender
        self.system.send(target, packet)


class Worker(Task):
    def __init__(self, system, name, priority):
        super().__init__(system, name, priority)
        self.turn = 0
        self.letter = 0

    def step(self, packet):
        self.turn ^= 1
        for i in range(len(packet.data)):
            self.letter = self.letter % 26 + 1
            packet.data[i] = 64 + self.letter
        packet.value = sum(packet.data) & 0xFF
        packet.sender = self.name
        self.system.send("handler a" if self.turn else "handler b", packet)


class Handler(Task):
    def __init__(self, system, name, priority, device):
        super().__init__(system, name, priority)
        self.device = device
        self.seen = 0

    def step(self, packet):
        if packet.kind == "work" and packet.sender == "worker":
            self.seen = (self.seen * 31 + packet.value) & 0xFFFF
            packet.sender = self.name
            self.system.send(self.device, packet)
        else:
            packet.sender = self.name
            self.system.send("worker", packet)


class System:
    def __init__(self, count):
        self.queued = 0
        self.held = 0
        self.tasks = {}
        for task in (Idle(self, "idle", count), Worker(self, "worker", 1000), Handler(self, "handler a", 2000, "device a"),
                     Handler(self, "handler b", 3000, "device b"), Device(self, "device a", 4000), Device(self, "device b", 5000)):
            self.tasks[task.name] = task
        self.order = sorted(self.tasks.values(), key=lambda t: -t.priority)
        for _ in range(3):
            self.send("worker", Packet("work", "worker"))

    def send(self, name, packet):
        self.tasks[name].receive(packet)

    def release(self, name):
        self.tasks[name].held = False

    def run(self):
        while True:
            for task in self.order:
                if task.ready():
                    task.run()
                    break
            else:
                return


def main():
    system = System(12_000)
    system.run()
    assert system.tasks["idle"].runs == 12_000
    return [system.queued, system.held, system.tasks["handler a"].seen, system.tasks["handler b"].seen]


main()
