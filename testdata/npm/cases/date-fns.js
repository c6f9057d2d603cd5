import { addMonths, differenceInDays, eachDayOfInterval, endOfMonth, format, formatDistance, isWeekend, parse, parseISO, startOfWeek } from "date-fns";
import { de } from "date-fns/locale";
import { equal } from "../check.js";

equal(format(new Date(2024, 1, 29, 13, 5, 9), "yyyy-MM-dd HH:mm:ss EEEE"), "2024-02-29 13:05:09 Thursday");
equal(format(new Date(2024, 2, 1), "d. MMMM yyyy", { locale: de }), "1. März 2024");
equal(format(addMonths(new Date(2024, 0, 31), 1), "yyyy-MM-dd"), "2024-02-29");
equal(differenceInDays(parseISO("2024-03-01"), parseISO("2024-02-01")), 29);
equal(parse("24/12/2023", "dd/MM/yyyy", new Date(0)).getMonth(), 11);
equal(formatDistance(new Date(2024, 0, 1), new Date(2024, 0, 4), { addSuffix: true }), "3 days ago");
equal(eachDayOfInterval({ start: new Date(2024, 0, 1), end: new Date(2024, 0, 7) }).filter(isWeekend).length, 2);
equal(startOfWeek(new Date(2024, 0, 3), { weekStartsOn: 1 }).getDate(), 1);
equal(endOfMonth(new Date(2023, 1, 3)).getDate(), 28);
