// performance and its timeline; what the Web Platform Tests don't look at.
import { anInterface, check, done, same, sleep, throws } from "./check.js";

anInterface(Performance, "Performance", {
  parent: EventTarget, abstract: true, attributes: ["timeOrigin"],
  methods: { now: 0, toJSON: 0, getEntries: 0, getEntriesByType: 1, getEntriesByName: 1, mark: 1, clearMarks: 0, measure: 1, clearMeasures: 0 },
});
anInterface(PerformanceEntry, "PerformanceEntry", { abstract: true, attributes: ["name", "entryType", "startTime", "duration"], methods: { toJSON: 0 } });
anInterface(PerformanceMark, "PerformanceMark", { length: 1, parent: PerformanceEntry, attributes: ["detail"] });
anInterface(PerformanceMeasure, "PerformanceMeasure", { parent: PerformanceEntry, abstract: true, attributes: ["detail"] });
anInterface(PerformanceObserver, "PerformanceObserver", { length: 1, methods: { observe: 0, disconnect: 0, takeRecords: 0 } });

same(Object.keys(performance.toJSON()), ["timeOrigin"]);
check(performance.now() >= 0 && Math.abs(performance.timeOrigin + performance.now() - Date.now()) < 1000);

// A measure between marks; the last mark of a name counts.
performance.mark("a", { startTime: 5 });
performance.mark("a", { startTime: 7, detail: { n: 1 } });
performance.mark("b", { startTime: 10 });
const measure = performance.measure("m", "a", "b");
same([measure.startTime, measure.duration, measure.detail], [7, 3, null]);
same(performance.getEntries().map((e) => e.name), ["a", "a", "m", "b"]);
same(performance.measure("d", { start: 1, duration: 4, detail: [1] }).toJSON(), { name: "d", entryType: "measure", startTime: 1, duration: 4 });
throws(() => performance.measure("m", { start: 1, end: 2, duration: 1 }), { name: "TypeError" });
throws(() => performance.measure("m", { detail: 1 }), { name: "TypeError" });
throws(() => performance.measure("m", "none"), { name: "SyntaxError", code: 12 });
throws(() => performance.mark("x", { startTime: NaN }), { name: "TypeError" });

// An observer's own faults don't keep others from hearing.
const heard = [];
const faulty = new PerformanceObserver(() => { throw new Error("in the observer"); });
faulty.observe({ type: "mark" });
const good = new PerformanceObserver((list, observer, options) => heard.push(list.getEntries().length, observer === good, options.droppedEntriesCount));
good.observe({ entryTypes: ["mark"] });
addEventListener("error", (event) => { heard.push(event.message); event.preventDefault(); }, { once: true });
performance.mark("c");
performance.mark("d");
await sleep(5);
same(heard, ["in the observer", 2, true, 0]);
faulty.disconnect();
good.disconnect();
performance.mark("e");
await sleep(5);
same(heard.length, 4);
same(good.takeRecords(), []);

done();
