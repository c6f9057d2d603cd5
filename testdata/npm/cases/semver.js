import semver from "semver";
import { equal } from "../check.js";

equal(semver.satisfies("1.2.3", "^1.1.0 || >=3"), true);
equal(["1.10.0", "1.9.0", "1.10.0-rc.1"].sort(semver.compare), ["1.9.0", "1.10.0-rc.1", "1.10.0"]);
equal(semver.inc("1.2.3", "prerelease", "beta"), "1.2.4-beta.0");
equal(semver.coerce("v3.4 release").version, "3.4.0");
equal(semver.maxSatisfying(["1.0.0", "1.4.2", "2.0.0"], "~1.4"), "1.4.2");
equal([semver.valid("1.2"), semver.diff("1.0.0", "1.1.0")], [null, "minor"]);
equal(new semver.Range("1.x").range, ">=1.0.0 <2.0.0-0");
equal(semver.minVersion(">1.2.3").version, "1.2.4");
