// Marks of a time axis where people expect them: at full hours, midnights and firsts of the month of a zone.

import { DAY, HOUR, instantOf, MINUTE, show, wallOf } from "./zone.js";

const WEEK_BEGINS = 4 * DAY; // 1970 began on a Thursday: from then, Monday the 5th

const STEPS = [1, 2, 5, 10, 15, 30]
	.map((minutes) => ({ length: minutes * MINUTE, format: "time" }))
	.concat([1, 2, 3, 6, 12].map((hours) => ({ length: hours * HOUR, format: "time" })))
	.concat([
		{ length: DAY, format: "date" },
		{ length: 2 * DAY, format: "date" },
		{ length: 7 * DAY, format: "date" },
		{ length: 30 * DAY, months: 1, format: "month" },
		{ length: 91 * DAY, months: 3, format: "month" },
		{ length: 182 * DAY, months: 6, format: "month" },
		...[1, 2, 5, 10, 20].map((years) => ({
			length: years * 365 * DAY,
			months: years * 12,
			format: "year",
		})),
	]);

function* evenly(from, to, length) {
	const origin = length === 7 * DAY ? WEEK_BEGINS : 0;
	for (
		let wall = Math.ceil((from - origin) / length) * length + origin;
		wall <= to;
		wall += length
	)
		yield wall;
}

function* monthly(from, to, months) {
	const begin = new Date(from);
	const first = begin.getUTCFullYear() * 12 + begin.getUTCMonth();
	for (let count = Math.floor(first / months) * months; ; count += months) {
		const wall = Date.UTC(Math.floor(count / 12), count % 12, 1);
		if (wall > to) return;
		if (wall >= from) yield wall;
	}
}

// Midnight says the day, January the year.
function label(instant, wall, zone, format) {
	if (format === "time" && wall % DAY === 0) return show(instant, zone, "date");
	if (format === "month" && new Date(wall).getUTCMonth() === 0)
		return show(instant, zone, "year");
	return show(instant, zone, format);
}

// A ticker for dygraphs; a label needs so many pixels.
export function zoneTicker(zone, room) {
	return (from, to, pixels) => {
		const most = Math.max(2, pixels / room);
		const step = STEPS.find(({ length }) => (to - from) / length <= most) ?? STEPS.at(-1);
		const walls = [wallOf(from, zone), wallOf(to, zone)];
		const marks = step.months ? monthly(...walls, step.months) : evenly(...walls, step.length);
		return [...marks].map((wall) => {
			const v = instantOf(wall, zone);
			return { v, label: label(v, wall, zone, step.format) };
		});
	};
}
