// The past of one space: how many were inside, who came and went, in any range of time, in the space's own zone.

import { ask, path, target } from "./api.js";
import { Chart, peakOf } from "./chart.js";
import { h, setText } from "./element.js";
import { complain, openFrame, tellFreshness } from "./frame.js";
import { Live } from "./live.js";
import { presetRange, presets, rangeBetween, rangeOfDays, scaled, shifted } from "./range.js";
import { fragment, replaceFragment } from "./session.js";
import { texts } from "./texts.js";
import { DAY, MINUTE, show, wallOf, wallText } from "./zone.js";

const words = texts.history;
const RENEW_MS = MINUTE;
const DEEPEST = 20; // steps that one can go back by zooming out

const id = decodeURIComponent(location.pathname.split("/")[2]);
const where = path`/spaces/${id}`;
let space = null;
let range = null;
let asking = null; // what stops the request that is under way
const wider = []; // the ranges before each zoom

// --- the page

const frame = await openFrame(texts.space.history);
const now = { count: h("span", { class: "count" }), capacity: h("span", { class: "capacity" }) };
const title = h("h1");
const buttons = new Map(presets.map((preset) => [preset, rangeButton(preset)]));
const days = makeDays();
const chart = new Chart({ zoomed, zoomedOut, pointed });
const readout = h("p", { class: "readout", "aria-live": "polite" });
const facts = Object.fromEntries(
	["peak", "average", "entries", "exits"].map((name) => [name, h("dd")]),
);
const csv = h("a", { class: "button", download: "" }, words.csv);
const foot = h("p", { class: "hint" });
const lookUp = makeLookUp();
const figure = h(
	"figure",
	{ class: "chart", tabindex: "0", role: "group", onkeydown: keyPressed },
	h("figcaption", null, h("span", { class: "key people-key" }, words.band), readout),
	chart.above,
	h("p", { class: "key crossings-key" }, words.crossings),
	chart.below,
);
const present = h(
	"p",
	{ class: "people" },
	h("span", { class: "hint" }, words.now),
	now.count,
	now.capacity,
);
const toDisplay = h("a", { class: "button", href: path`/display/${id}` }, texts.space.display);

function rangeButton(preset) {
	return h(
		"button",
		{ "aria-pressed": "false", onclick: () => choose(presetRange(preset, space.timezone)) },
		words.ranges[preset],
	);
}

function makeDays() {
	const first = h("input", { type: "date", required: true });
	const last = h("input", { type: "date", required: true });
	const submit = (event) => {
		event.preventDefault();
		choose(rangeOfDays(first.value, last.value, space.timezone));
	};
	const element = h(
		"form",
		{ class: "days", onsubmit: submit },
		h("label", null, words.from, first),
		h("label", null, words.to, last),
		h("button", null, words.show),
	);
	return { element, first, last };
}

function makeLookUp() {
	const time = h("input", {
		type: "datetime-local",
		step: "1",
		"aria-describedby": "time-error",
	});
	const error = h("p", { class: "error", id: "time-error", role: "alert" });
	const answer = h("output", { class: "answer" });
	const element = h(
		"form",
		{ class: "look-up", onsubmit: lookUpTime },
		h("h2", null, words.ask.title),
		h(
			"div",
			{ class: "days" },
			h("label", null, words.ask.time, time),
			h("button", null, words.ask.submit),
		),
		error,
		answer,
	);
	return { element, time, error, answer };
}

function tools() {
	const step = (text, change) => h("button", { onclick: () => choose(change()) }, text);
	return h(
		"div",
		{ class: "tools" },
		step(`← ${words.earlier}`, () => shifted(range, -1)),
		step(`${words.later} →`, () => shifted(range, 1)),
		step(words.zoomIn, () => scaled(range, 0.5)),
		step(words.zoomOut, () => scaled(range, 2)),
		csv,
	);
}

function fillPage() {
	const list = Object.entries(facts).map(([name, value]) =>
		h("div", null, h("dt", null, words[name]), value),
	);
	frame.main.append(
		h("div", { class: "title" }, title, present, toDisplay),
		h("div", { class: "ranges", role: "group" }, ...buttons.values(), days.element),
		h("dl", { class: "facts" }, list),
		figure,
		tools(),
		h("p", { class: "hint" }, words.how),
		foot,
		lookUp.element,
	);
}

// --- the range

function choose(next) {
	wider.length = 0;
	goTo(next);
}

function zoomed(start, end) {
	wider.push(range);
	wider.splice(0, wider.length - DEEPEST);
	goTo(rangeBetween(start, end, space.timezone));
}

function zoomedOut() {
	goTo(wider.pop() ?? scaled(range, 2));
}

function goTo(next) {
	range = next;
	const preset = presets.includes(range.preset)
		? { range: range.preset }
		: { from: range.start, to: range.end };
	replaceFragment(preset);
	for (const [name, button] of buttons)
		button.setAttribute("aria-pressed", String(name === range.preset));
	days.first.value = wallText(wallOf(range.start, space.timezone)).slice(0, 10);
	days.last.value = wallText(wallOf(range.end - 1, space.timezone)).slice(0, 10);
	return load();
}

function rangeOfLink() {
	const said = fragment();
	const [from, to] = [Number(said.get("from")), Number(said.get("to"))];
	if (from > 0 && to > from) return rangeBetween(from, to, space.timezone);
	const preset = presets.includes(said.get("range")) ? said.get("range") : "today";
	return presetRange(preset, space.timezone);
}

// --- the data

const isoText = (instant) => new Date(instant).toISOString();

async function load() {
	asking?.abort();
	asking = new AbortController();
	const { start, interval } = range;
	const end = range.open ? null : isoText(range.end);
	const parameters = { start: isoText(start), end, interval, timezone: "space" };
	csv.href = target(`${where}/counts`, { ...parameters, format: "csv" });
	try {
		const counts = await ask(`${where}/counts`, parameters, asking.signal);
		showCounts(counts);
		complain(frame, null);
	} catch (problem) {
		if (problem.name !== "AbortError") complain(frame, problem);
	}
}

function showCounts(counts) {
	const { buckets } = counts;
	const end = range.open ? Date.parse(buckets.at(-1).end) : range.end;
	range.end = end;
	chart.show({
		buckets,
		start: range.start,
		end,
		zone: space.timezone,
		capacity: space.capacity,
	});
	const sum = (member) => buckets.reduce((total, bucket) => total + bucket[member], 0);
	const length = (bucket) => Date.parse(bucket.end) - Date.parse(bucket.start);
	const weighted = buckets.reduce((total, bucket) => total + bucket.average * length(bucket), 0);
	const peak = peakOf(buckets);
	const peakTime = show(Date.parse(peak.max_time), space.timezone, "full");
	facts.peak.replaceChildren(
		texts.number(peak.max),
		h("small", null, peak.max > 0 ? peakTime : ""),
	);
	setText(facts.average, texts.decimal(weighted / (end - range.start)));
	setText(facts.entries, texts.number(sum("entries")));
	setText(facts.exits, texts.number(sum("exits")));
	const [, size, unit] = range.interval.match(/^(\d+)(\D+)$/);
	setText(foot, `${words.zone(space.timezone)} ${words.steps(`${size} ${words.units[unit]}`)}`);
	chart.point(null);
}

function pointed(bucket) {
	const { time, people, spanEnd } = bucket === null ? spanOf() : stepOf(bucket);
	readout.replaceChildren(
		h("span", { class: "when" }, spanEnd ? `${time} – ${spanEnd}` : time),
		...people,
	);
}

function spanOf() {
	const [time, spanEnd] = [range.start, range.end].map((at) => show(at, space.timezone, "full"));
	return { time, spanEnd, people: [] };
}

function stepOf(bucket) {
	const long = range.length >= DAY;
	const time = show(bucket.from, space.timezone, "dateTime");
	const spanEnd = show(bucket.to, space.timezone, long ? "dateTime" : "time");
	const people = [
		h("strong", null, words.readout.people(bucket.average, bucket.min, bucket.max)),
		h("span", null, words.readout.entries(bucket.entries)),
		h("span", null, words.readout.exits(bucket.exits)),
	];
	return { time, spanEnd, people };
}

function keyPressed(event) {
	const steps = {
		ArrowLeft: -1,
		ArrowRight: 1,
		PageUp: -10,
		PageDown: 10,
		Home: -Infinity,
		End: Infinity,
	};
	if (event.target !== figure || steps[event.key] === undefined) return;
	event.preventDefault();
	chart.step(steps[event.key]);
}

async function lookUpTime(event) {
	event.preventDefault();
	const { time, error, answer } = lookUp;
	setText(answer, "");
	setText(error, time.value === "" ? words.ask.missing : "");
	time.setAttribute("aria-invalid", String(time.value === ""));
	if (time.value === "") return;
	try {
		const then = await ask(where, { time: time.value.replace("T", " "), timezone: "space" });
		const known = then.last_event_time !== null;
		const at = show(Date.parse(then.as_of), space.timezone, "full");
		setText(
			answer,
			known ? words.ask.answer(texts.space.people(then.count), at) : words.ask.unknown,
		);
	} catch (problem) {
		setText(error, problem.message);
		time.setAttribute("aria-invalid", "true");
	}
}

// --- the present

function paintNow() {
	setText(title, space.name || space.id);
	document.title = `${words.titleOf(space.name || space.id)} – ${texts.brand}`;
	setText(now.count, texts.number(space.count));
	setText(now.capacity, space.capacity === null ? "" : texts.space.of(space.capacity));
}

const live = new Live([id], {
	state(state) {
		space = { ...space, ...state };
		paintNow();
	},
	removed: () => setText(now.count, ""),
	freshness: (freshness) => tellFreshness(frame, present, freshness),
});

// A range that ends now goes on.
function renew() {
	if (document.hidden || !range?.open) return;
	range = presets.includes(range.preset)
		? presetRange(range.preset, space.timezone)
		: rangeBetween(range.start, Infinity, space.timezone, range.preset);
	load();
}

function follow() {
	live.stop();
	if (!document.hidden) live.start();
}

try {
	space = await ask(where);
	fillPage();
	paintNow();
	figure.setAttribute("aria-label", words.chart(space.name || space.id));
	await goTo(rangeOfLink());
	setInterval(renew, RENEW_MS);
	document.addEventListener("visibilitychange", follow);
	follow();
} catch (problem) {
	complain(frame, problem);
}
