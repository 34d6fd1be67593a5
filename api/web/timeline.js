// Installations over time: a lane a doorway (or a DPU), a bar an installation.

import { h, svg } from "./element.js";
import { texts } from "./texts.js";
import { zoneTicker } from "./ticks.js";
import { DAY, show } from "./zone.js";

const words = texts.admin;
const NAMES = 200; // pixels beside the drawing, about
const LABEL = 100; // and of a mark
const LANE = 34;
const BAR = 22;
const HEAD = 24;

const startOf = (installation) => Date.parse(installation.started_at);
const endOf = (installation, now) =>
	installation.ended_at === null ? now : Date.parse(installation.ended_at);

// From a little before the first change that isn't the beginning of all: what hangs there since ever would leave no
// room for what was moved last week.
function spanOf(installations, now) {
	const changes = installations.flatMap((one) => [startOf(one), endOf(one, now)]);
	const sorted = [...new Set(changes)].sort((a, b) => a - b);
	const to = sorted.at(-1);
	const second = sorted.length > 2 ? sorted[1] : sorted[0];
	const from = Math.max(sorted[0], second - (to - second) / 8);
	return { from: Math.min(from, to - DAY), to };
}

const percentOf = (instant, { from, to }) =>
	`${(((instant - from) / (to - from)) * 100).toFixed(2)}%`;

function bar(installation, lane, span, now, text) {
	const [began, to] = [startOf(installation), endOf(installation, now)];
	const from = Math.max(began, span.from);
	const width = `${Math.max(((to - from) / (span.to - span.from)) * 100, 0.4).toFixed(2)}%`;
	const [since, until] = [began, to].map((at) => show(at, "UTC", "full"));
	const title = words.bar(
		installation.dpu,
		installation.doorway,
		since,
		installation.ended_at ? until : words.now,
	);
	const y = HEAD + lane * LANE + (LANE - BAR) / 2;
	const state = installation.ended_at === null ? "bar" : "bar past";
	return svg(
		"svg",
		{ class: state, x: percentOf(from, span), y, width, height: BAR },
		svg("title", null, title),
		svg("rect", { width: "100%", height: BAR, rx: 2 }),
		svg("text", { x: 8, y: BAR / 2 + 5 }, text),
	);
}

function marks(span, height) {
	const width = Math.max(window.innerWidth - NAMES, NAMES);
	const ticks = zoneTicker("UTC", LABEL)(span.from, span.to, width);
	return ticks.map(({ v, label }) => {
		const x = percentOf(v, span);
		return svg(
			"g",
			{ class: "mark" },
			svg("line", { x1: x, x2: x, y1: HEAD - 4, y2: height }),
			svg("text", { x, y: 14 }, label),
		);
	});
}

// `by` is "doorway" or "dpu": what a lane is; the bars then name the other.
export function timeline(installations, by) {
	const now = Date.now();
	const other = by === "doorway" ? "dpu" : "doorway";
	const lanes = [...new Set(installations.map((installation) => installation[by]))].sort();
	const span = spanOf(installations, now);
	const height = HEAD + lanes.length * LANE;
	const bars = installations.map((one) =>
		bar(one, lanes.indexOf(one[by]), span, now, one[other]),
	);
	const names = lanes.map((lane) => h("li", null, lane));
	const drawing = svg(
		"svg",
		{ class: "lanes", role: "img", "aria-label": words.timeline, height },
		marks(span, height),
		bars,
	);
	return h("div", { class: "timeline" }, h("ul", null, names), drawing);
}
