// What programs are written with today: generators, destructuring, spread,
// closures, optional chaining, private fields, exceptions.
(() => {
  class Account {
    #balance = 0;
    static opened = 0;
    constructor(owner) {
      this.owner = owner;
      Account.opened++;
    }
    get balance() {
      return this.#balance;
    }
    move(amount) {
      if (this.#balance + amount < -500) throw new RangeError(`${this.owner} has too little`);
      this.#balance += amount;
      return this;
    }
  }
  function* transfers(count) {
    for (let i = 0; i < count; i++) yield { from: i % 7, to: (i * 3) % 7, amount: (i * 13) % 90, note: i % 5 ? { tags: [i, "x"] } : undefined };
  }
  const accounts = Array.from("abcdefg", (owner) => new Account(owner));
  let refused = 0, tagged = 0;
  const log = [];
  for (const { from, to, amount, note } of transfers(7000)) {
    const [source, target] = [accounts[from], accounts[to]];
    try {
      source.move(-amount);
      target.move(amount);
      log.push(() => ({ ...{ from, to }, amount }));
    } catch (e) {
      if (e instanceof RangeError) refused++;
    }
    tagged += note?.tags?.[0] ?? 0;
  }
  const sum = log.map((entry) => entry()).reduce((all, { amount, ...rest }) => all + amount * rest.to, 0);
  return [accounts.map((a) => a.balance), refused, tagged, sum, Account.opened];
})()
