import moment from "moment";
import { equal } from "../check.js";

equal(moment.utc("2024-02-29").add(1, "year").format("YYYY-MM-DD"), "2025-02-28");
equal(moment.utc("2024-01-15 10:00").startOf("month").toISOString(), "2024-01-01T00:00:00.000Z");
equal(moment.utc("12-25-1995", "MM-DD-YYYY").format("dddd, MMMM Do YYYY"), "Monday, December 25th 1995");
equal(moment.duration(90, "minutes").humanize(), "2 hours");
equal(moment.utc([2024, 0, 10]).diff(moment.utc([2024, 0, 1]), "days"), 9);
equal(moment("not a date", moment.ISO_8601).isValid(), false);
equal(moment.utc(0).from(moment.utc(86400000)), "a day ago");
equal(moment.utc("2024-05-05").isBetween("2024-05-01", "2024-06-01"), true);
