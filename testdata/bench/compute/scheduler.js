// Objects and virtual calls: tasks that pass messages to each other.
(() => {
  class Message {
    constructor(kind, value) {
      this.kind = kind;
      this.value = value;
      this.next = null;
    }
  }
  class Task {
    constructor(system, id, priority) {
      this.system = system;
      this.id = id;
      this.priority = priority;
      this.first = this.last = null;
      this.handled = 0;
      system.add(this);
    }
    post(message) {
      if (this.last === null) this.first = message;
      else this.last.next = message;
      this.last = message;
    }
    take() {
      const message = this.first;
      this.first = message.next;
      if (this.first === null) this.last = null;
      message.next = null;
      return message;
    }
    step() {
      this.handled++;
      this.handle(this.take());
    }
  }
  class Producer extends Task {
    handle(message) {
      if (message.value > 0) {
        this.system.send((message.value % 3) + 1, new Message("work", message.value));
        message.value--;
        this.post(message);
      }
    }
  }
  class Worker extends Task {
    handle(message) {
      let v = message.value;
      for (let i = 0; i < 4; i++) v = v & 1 ? (v >> 1) ^ 0xd008 : v >> 1;
      message.kind = "done";
      message.value = v;
      this.system.send(4, message);
    }
  }
  class Collector extends Task {
    sum = 0;
    handle(message) {
      if (message.kind === "done") this.sum = (this.sum + message.value) | 0;
    }
  }
  class System {
    tasks = [];
    order = [];
    add(task) {
      this.tasks[task.id] = task;
      this.order.push(task);
      this.order.sort((a, b) => b.priority - a.priority);
    }
    send(id, message) {
      this.tasks[id].post(message);
    }
    run() {
      for (let turns = 0; ; turns++) {
        const ready = this.order.find((task) => task.first !== null);
        if (ready === undefined) return turns;
        ready.step();
      }
    }
  }
  const system = new System();
  const producer = new Producer(system, 0, 1);
  for (let i = 1; i <= 3; i++) new Worker(system, i, 10 + i);
  const collector = new Collector(system, 4, 5);
  producer.post(new Message("start", 12000));
  return [system.run(), collector.sum, collector.handled];
})()
