// Times in the zone of a space. An instant is milliseconds since 1970; a wall time is what the clocks there show, as the
// instant at which clocks in UTC show the same.

import { texts } from "./texts.js";

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

const formats = new Map();

function format(zone, name) {
	const key = `${zone} ${name}`;
	if (!formats.has(key))
		formats.set(
			key,
			new Intl.DateTimeFormat(texts.locale, { timeZone: zone, ...FORMATS[name] }),
		);
	return formats.get(key);
}

const CLOCK = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
const DATE = { weekday: "short", day: "numeric", month: "short" };
const FORMATS = {
	time: CLOCK,
	seconds: { ...CLOCK, second: "2-digit" },
	day: { weekday: "short", day: "numeric" },
	date: DATE,
	dateTime: { ...DATE, ...CLOCK },
	full: { ...DATE, year: "numeric", ...CLOCK },
	month: { month: "short" },
	year: { year: "numeric" },
	fields: {
		calendar: "iso8601",
		year: "numeric",
		month: "numeric",
		day: "numeric",
		...CLOCK,
		second: "numeric",
	},
};

// The instant for people; `name` is one of FORMATS.
export function show(instant, zone, name) {
	return format(zone, name).format(instant);
}

export function wallOf(instant, zone) {
	const parts = format(zone, "fields").formatToParts(instant);
	const field = Object.fromEntries(parts.map(({ type, value }) => [type, Number(value)]));
	const whole = Date.UTC(
		field.year,
		field.month - 1,
		field.day,
		field.hour,
		field.minute,
		field.second,
	);
	return whole + (((instant % 1000) + 1000) % 1000);
}

// The second look is right on both sides of a change of the clocks.
export function instantOf(wall, zone) {
	const guess = wall - (wallOf(wall, zone) - wall);
	return wall - (wallOf(guess, zone) - guess);
}

// The wall time as the API reads it: 2026-11-23 08:15:30.
export function wallText(wall) {
	return new Date(wall).toISOString().slice(0, 19).replace("T", " ");
}

export function startOfDay(wall) {
	return Math.floor(wall / DAY) * DAY;
}
