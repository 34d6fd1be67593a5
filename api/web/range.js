// The span of time that a history shows, and the steps in which it is asked for.

import { DAY, HOUR, instantOf, MINUTE, startOfDay, wallOf } from "./zone.js";

const MOST_BUCKETS = 1500; // more than a chart has pixels to show is no use to anybody
export const SHORTEST = 10 * MINUTE;

const INTERVALS = [
	["1m", MINUTE],
	["2m", 2 * MINUTE],
	["5m", 5 * MINUTE],
	["10m", 10 * MINUTE],
	["15m", 15 * MINUTE],
	["30m", 30 * MINUTE],
	["1h", HOUR],
	["1d", DAY], // over months, nights between days would say nothing
	["7d", 7 * DAY],
	["28d", 28 * DAY],
];

// The finest steps that do not make too many buckets.
function intervalOf(span) {
	return INTERVALS.find(([, length]) => span / length <= MOST_BUCKETS) ?? INTERVALS.at(-1);
}

// Days before the present one at which a range begins, and at which it ends: 0 is now.
const PRESETS = {
	today: { from: 0, to: 0 },
	yesterday: { from: 1, to: 1 },
	week: { from: 6, to: 0 },
	month: { from: 29, to: 0 },
	year: { from: 364, to: 0 },
};

export const presets = Object.keys(PRESETS);

// Steps begin where people expect them: at the full minute, hour or day of the zone.
function aligned(instant, length, zone) {
	const unit = Math.min(length, DAY);
	return instantOf(Math.floor(wallOf(instant, zone) / unit) * unit, zone);
}

// A range {preset, zone, start, end, interval, length, open}: `start` and `end` are instants, an open one ends now.
export function rangeBetween(start, end, zone, preset = null) {
	const now = Date.now();
	const last = Math.min(end, now);
	const first = Math.max(DAY, Math.min(start, last - SHORTEST));
	const [interval, length] = intervalOf(last - first);
	return {
		preset,
		zone,
		start: aligned(first, length, zone),
		end: last,
		interval,
		length,
		open: end >= now,
	};
}

export function presetRange(preset, zone) {
	const today = startOfDay(wallOf(Date.now(), zone));
	const { from, to } = PRESETS[preset];
	const start = instantOf(today - from * DAY, zone);
	const end = to === 0 ? Infinity : instantOf(today - (to - 1) * DAY, zone);
	return rangeBetween(start, end, zone, preset);
}

// Whole days of the zone's calendar, "2026-11-23" and "2026-11-24", in either order, the later one included.
export function rangeOfDays(one, other, zone) {
	const [from, to] = [one, other].sort().map((day) => Date.parse(`${day}T00:00:00Z`));
	return rangeBetween(instantOf(from, zone), instantOf(to + DAY, zone), zone, "custom");
}

// The range moved by so many of its lengths, or made so many times as long around its middle.
export function shifted(range, lengths) {
	const by = (range.end - range.start) * lengths;
	const late = Math.max(0, range.end + by - Date.now());
	return rangeBetween(range.start + by - late, range.end + by - late, range.zone);
}

export function scaled(range, factor) {
	const middle = (range.start + range.end) / 2;
	const half = Math.max(((range.end - range.start) * factor) / 2, SHORTEST / 2);
	return rangeBetween(middle - half, middle + half, range.zone);
}
