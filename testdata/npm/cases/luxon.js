import { DateTime, Duration, Interval } from "luxon";
import { equal } from "../check.js";

const d = DateTime.fromISO("2024-02-29T12:30:00", { zone: "utc" });
equal(d.plus({ years: 1 }).toISODate(), "2025-02-28");
equal(d.toFormat("yyyy/LL/dd HH:mm"), "2024/02/29 12:30");
equal(d.startOf("week").toISODate(), "2024-02-26");
equal([d.weekNumber, d.ordinal, d.isInLeapYear], [9, 60, true]);
equal(Duration.fromISO("P1DT2H").shiftTo("hours").hours, 26);
equal(Interval.fromISO("2024-01-01/2024-01-03").length("days"), 2);
equal(d.diff(DateTime.fromISO("2024-01-01", { zone: "utc" }), ["months", "days"]).days, 28.520833333333332);
equal(DateTime.fromFormat("12-05-2024", "dd-MM-yyyy", { zone: "utc" }).toMillis(), 1715472000000);
equal(DateTime.fromISO("garbage").isValid, false);
equal(d.toHTTP(), "Thu, 29 Feb 2024 12:30:00 GMT");
equal(d.setZone("America/New_York").toISO(), "2024-02-29T07:30:00.000-05:00");
equal(DateTime.fromISO("2024-07-01T12:00", { zone: "Europe/Paris" }).toUTC().hour, 10);
equal(d.toLocaleString(DateTime.DATE_FULL, { locale: "en-US" }), "February 29, 2024");
