// node:perf_hooks
const { Performance, PerformanceEntry, PerformanceMark, PerformanceMeasure, PerformanceObserver, PerformanceObserverEntryList, performance } = globalThis;

// createHistogram counts values; its percentiles are of the values themselves.
export function createHistogram() {
  let values = [];
  const sorted = () => values.sort((a, b) => a - b);
  return {
    record(value) { values.push(Number(value)); },
    recordDelta() {},
    reset() { values = []; },
    percentile: (p) => sorted()[Math.max(0, Math.ceil((p / 100) * values.length) - 1)] ?? 0,
    get count() { return values.length; },
    get min() { return sorted()[0] ?? 0; },
    get max() { return sorted()[values.length - 1] ?? 0; },
    get mean() { return values.reduce((a, b) => a + b, 0) / values.length; },
    get stddev() { return Math.sqrt(values.reduce((a, b) => a + (b - this.mean) ** 2, 0) / values.length); },
  };
}
export const monitorEventLoopDelay = () => Object.assign(createHistogram(), { enable: () => true, disable: () => true });
export const eventLoopUtilization = () => ({ idle: 0, active: 0, utilization: 0 });
export function timerify(f) { return f; }
export const constants = Object.freeze({ NODE_PERFORMANCE_GC_MAJOR: 4, NODE_PERFORMANCE_GC_MINOR: 1, NODE_PERFORMANCE_GC_INCREMENTAL: 8, NODE_PERFORMANCE_GC_WEAKCB: 16 });
export { Performance, PerformanceEntry, PerformanceMark, PerformanceMeasure, PerformanceObserver, PerformanceObserverEntryList, performance };
export default {
  Performance, PerformanceEntry, PerformanceMark, PerformanceMeasure, PerformanceObserver, PerformanceObserverEntryList, constants, createHistogram, eventLoopUtilization,
  monitorEventLoopDelay, performance, timerify,
};
