// node:v8: what can be said of the heap, which is not V8's.
import native from "mayfly:native";
import { unavailable } from "mayfly:unavailable";

const refused = unavailable("v8", "the engine is not V8", [
  "DefaultDeserializer", "DefaultSerializer", "Deserializer", "GCProfiler", "Serializer", "deserialize", "getHeapSnapshot", "serialize", "writeHeapSnapshot",
]);
export const { DefaultDeserializer, DefaultSerializer, Deserializer, GCProfiler, Serializer, deserialize, getHeapSnapshot, serialize, writeHeapSnapshot } = refused;
export function getHeapStatistics() {
  const { used, total } = native.memory();
  return {
    total_heap_size: total, total_heap_size_executable: 0, total_physical_size: total, total_available_size: total - used, used_heap_size: used, heap_size_limit: total,
    malloced_memory: used, peak_malloced_memory: used, does_zap_garbage: 0, number_of_native_contexts: 1, number_of_detached_contexts: 0, external_memory: 0,
  };
}
export const getHeapSpaceStatistics = () => [];
export const getHeapCodeStatistics = () => ({ code_and_metadata_size: 0, bytecode_and_metadata_size: 0, external_script_source_size: 0 });
export const cachedDataVersionTag = () => 0;
export const isStringOneByteRepresentation = (text) => !/[^\0-\xff]/.test(text);
export const setFlagsFromString = () => {};
export const setHeapSnapshotNearHeapLimit = () => {};
export const stopCoverage = () => {};
export const takeCoverage = () => {};
export const startupSnapshot = { isBuildingSnapshot: () => false };
export default {
  ...refused, cachedDataVersionTag, getHeapCodeStatistics, getHeapSpaceStatistics, getHeapStatistics, isStringOneByteRepresentation, setFlagsFromString,
  setHeapSnapshotNearHeapLimit, startupSnapshot, stopCoverage, takeCoverage,
};
